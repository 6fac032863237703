package sanitize

import "testing"

// TestImages: images that are fetched to be counted go; others follow the
// policy.
func TestImages(t *testing.T) {
	for name, c := range map[string]struct{ in, keep, block string }{
		"a picture":              {`<img src="https://cdn.example/a.png" alt="The stage" width="300">`, `<img src="https://cdn.example/a.png" alt="The stage" width="300">`, `<img alt="The stage" width="300">`},
		"without words":          {`<img src="https://cdn.example/a.png">`, `<img src="https://cdn.example/a.png">`, ``},
		"in the message":         {`<img src="data:image/png;base64,iVBORw0KGgo=" alt="x">`, `<img src="data:image/png;base64,iVBORw0KGgo=" alt="x">`, `<img src="data:image/png;base64,iVBORw0KGgo=" alt="x">`},
		"one pixel":              {`<img src="https://t.example/a" width="1" height="1">`, ``, ``},
		"one pixel, by style":    {`<img src="https://t.example/a" style="width: 1px !important; height:1px">`, ``, ``},
		"hidden":                 {`<img src="https://t.example/a" style="display:none">`, ``, ``},
		"in something hidden":    {`<div style="max-height:0"><p><img src="https://t.example/a"></p></div>`, `<div style="max-height:0"><p></p></div>`, `<div style="max-height:0"><p></p></div>`},
		"in a narrow cell":       {`<td style="font-size:0"><img src="https://cdn.example/a.png"></td>`, `<td style="font-size:0"><img src="https://cdn.example/a.png"></td>`, `<td style="font-size:0"></td>`},
		"a tracker's host":       {`<img src="https://eu2.mailtrack.io/trace/mail/0123.png" width="40">`, ``, ``},
		"a tracker's path":       {`<img src="https://u123.ct.agency.example/wf/open?upn=x" alt="">`, ``, ``},
		"a service's name in it": {`<img src="https://cdn.example/notmailtrack.io.png">`, `<img src="https://cdn.example/notmailtrack.io.png">`, ``},
		"a host that ends alike": {`<img src="https://notmailtrack.io/logo.png">`, `<img src="https://notmailtrack.io/logo.png">`, ``},
		"two sources":            {`<img src="https://cdn.example/a.png" srcset="https://cdn.example/b.png 2x">`, `<img src="https://cdn.example/a.png">`, ``},
		"background":             {`<td background="https://t.example/b.png" style="background-image:url(https://t.example/c)">x</td>`, `<td>x</td>`, `<td>x</td>`},
		"a path on a disk":       {`<img src="file:///home/jane/a.png" alt="x">`, ``, ``},
	} {
		t.Run(name, func(t *testing.T) {
			for policy, want := range map[RemoteImages]string{"": c.keep, RemoteKeep: c.keep, RemoteBlock: c.block} {
				rw := &rewriter{o: Options{Identity: jane, Typed: TypedAllow, RemoteImages: policy}, id: compile(&jane)}
				got, err := rw.htmlText(c.in, opening{}, false)
				if err != nil || got != want {
					t.Errorf("%s: %s\n gives %s\n  want %s\n%v", policy, c.in, got, want, err)
				}
			}
		})
	}
}

// TestLinks: a provider's counted links stay links; one that tells who reads
// becomes what it leads to.
func TestLinks(t *testing.T) {
	rw := &rewriter{o: Options{Identity: jane}, id: compile(&jane)}
	for in, want := range map[string]string{
		"https://click.provider.example/c/0a1b2c3d4e":                                                                                                                "https://click.provider.example/c/0a1b2c3d4e",
		"https://www.google.com/url?q=https%3A%2F%2Fexample.org%2F&source=gmail&ust=1":                                                                               "https://www.google.com/url?q=https%3A%2F%2Fexample.org%2F&source=gmail&ust=1",
		"https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fexample.org%2Fa%3Fb%3D1&data=05%7C02%7Cjane.roe%40realmail.example%7C8":                   "https://example.org/a?b=1",
		"https://linkprotect.cudasvc.example/url?a=https%3a%2f%2fexample.org%2f&c=E,1,jane.roe@realmail.example":                                                     "https://example.org/",
		"https://a.example/?u=jane.roe%40realmail.example&r=" + "https%3A%2F%2Fb.example%2F%3Fu%3Djane.roe%2540realmail.example%26r%3Dhttps%253A%252F%252Fc.example": "https://c.example",
		"https://a.example/?u=jane.roe%40realmail.example&r=javascript:alert":                                                                                        "",
		"https://a.example/unsubscribe?u=jane.roe%40realmail.example":                                                                                                "",
	} {
		if got := rw.href(in, false, false); got != want {
			t.Errorf("%s\n becomes %s\n want %s", in, got, want)
		}
		text := "> see " + in + " there"
		if want == "" {
			want = hiddenLink
		}
		if got := rw.clean(text); got != "> see "+want+" there" {
			t.Errorf("%s\n becomes %s", text, got)
		}
	}
	wrapped := "> see https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fexample.org%2F\n> path&data=05%7C02%7Cjane.roe%40realmail.example%7C8 there"
	if got, want := rw.clean(wrapped), "> see https://example.org/path there"; got != want {
		t.Errorf("%q\n becomes %q", wrapped, got)
	}
}
