package sanitize

import "testing"

func TestHTML(t *testing.T) {
	id := jane
	id.Addresses = append(id.Addresses, "jane@gmail.com")
	rw := &rewriter{o: Options{Identity: id, Typed: TypedAllow, Domain: "d.example"}, id: compile(&id)}
	for name, c := range map[string]struct{ in, want string }{
		"formatting stays":         {`<p class="x" style="color:red"><b>Hi</b> <a href="https://example.org/?a=1&amp;b=2">l</a><br>&nbsp;x</p>`, `<p class="x" style="color:red"><b>Hi</b> <a href="https://example.org/?a=1&amp;b=2">l</a><br>&nbsp;x</p>`},
		"typed stays":              {`<div>Mail <a href="mailto:jane@gmail.com">jane@gmail.com</a></div>`, `<div>Mail <a href="mailto:jane@gmail.com">jane@gmail.com</a></div>`},
		"hidden link of new text":  {`<div>Mail <a href="mailto:jane@gmail.com">me</a></div>`, `<div>Mail <a>me</a></div>`},
		"quoted":                   {`<p>x</p><blockquote>Jane Roe &lt;<a href="mailto:jane@gmail.com">jane@gmail.com</a>&gt;</blockquote>`, `<p>x</p><blockquote>Jane Roe<a></a></blockquote>`},
		"across tags":              {`<blockquote>ja<b>ne</b>@<wbr>gm<i>ail</i>.com!</blockquote>`, `<blockquote>Jane Roe<b></b><wbr><i></i>!</blockquote>`},
		"outlook header block":     {`<p>Yes</p><div><b>From:</b> Sam<br><b>To:</b> jane@gmail.com<br></div><p>from jane@gmail.com</p>`, `<p>Yes</p><div><b>From:</b> Sam<br><b>To:</b> Jane Roe<br></div><p>from Jane Roe</p>`},
		"outlook 2013":             {`<p>jane@gmail.com</p><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt">jane@gmail.com</div><p>jane@gmail.com</p>`, `<p>jane@gmail.com</p><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt">Jane Roe</div><p>Jane Roe</p>`},
		"moz-cite-prefix":          {`<p>a</p><div class="moz-cite-prefix">Am 31.8.2026 schrieb jane@gmail.com:</div>`, `<p>a</p><div class="moz-cite-prefix">Am 31.8.2026 schrieb Jane Roe:</div>`},
		"below a quote":            {`<div>Am 31.8.2026 schrieb Sam:</div><blockquote>jane@gmail.com</blockquote><p>jane@gmail.com</p>`, `<div>Am 31.8.2026 schrieb Sam:</div><blockquote>Jane Roe</blockquote><p>jane@gmail.com</p>`},
		"below thunderbird's":      {`<div class="moz-cite-prefix">On 31.8.2026 Sam wrote:<br></div><blockquote type="cite" cite="mid:a@gmail.com">a</blockquote><p>jane@gmail.com</p>`, `<div class="moz-cite-prefix">On 31.8.2026 Sam wrote:<br></div><blockquote type="cite">a</blockquote><p>jane@gmail.com</p>`},
		"attribution, no element":  {`<p>a</p><p>31.08.2026, 16:12, "Jane" &lt;jane@gmail.com&gt;:</p><blockquote>b</blockquote>`, `<p>a</p><p>31.08.2026, 16:12, "Jane" Jane Roe:</p><blockquote>b</blockquote>`},
		"attribution, no quote":    {`<p>a</p><p>On 31.08.2026 Sam wrote:</p><p>jane@gmail.com</p>`, `<p>a</p><p>On 31.08.2026 Sam wrote:</p><p>Jane Roe</p>`},
		"marks, indented":          {"<pre>a\n> jane@gmail.com</pre><div>\n      &gt; jane@gmail.com<br>\n      jane@gmail.com</div>", "<pre>a\n&gt; Jane Roe</pre><div>\n      &gt; Jane Roe<br>\n      jane@gmail.com</div>"},
		"word's list":              {`<p style="text-indent:-18.0pt">jane@gmail.com</p>`, `<p style="text-indent:-18.0pt">jane@gmail.com</p>`},
		"signature of the program": {`<p>a</p><div class="gmail_signature">jane@gmail.com</div>`, `<p>a</p><div class="gmail_signature">Jane Roe</div>`},
		"footer removed":           {`<p>a</p><blockquote><div>q<div class="m_12sd-footer x">Stop <a href="https://msg.example.com/u/x">these</a><div>more</div></div>z</div></blockquote><p>b</p>`, `<p>a</p><blockquote><div>qz</div></blockquote><p>b</p>`},
		"footer not closed":        {`<blockquote>q<div class="sd-footer">Stop</blockquote><p>b</p>`, `<blockquote>q</blockquote><p>b</p>`},
		"relay link":               {`<p><a href="https://msg.example.com/u/abc">here</a> https://msg.example.com/u/abc</p>`, `<p><a>here</a> </p>`},
		"script and handlers":      {`<p onclick="x()">a<script>alert(1)</script><img src="x" onerror="y"><form action="https://e.example"><input name="q">b</form></p>`, `<p>ab</p>`},
		"bad links":                {`<a href="javascript:x">a</a><a href=" JaVaScript:x">b</a><a href="data:text/html,x">c</a><a href="file:///home/jane">d</a>`, `<a>a</a><a>b</a><a>c</a><a>d</a>`},
		"comments and styles":      {`<!-- jane@gmail.com --><style>/* c */p{color:red}</style><style>@import url(x)</style><link rel="stylesheet" href="x"><p style="background:url(https://t.example/x);color:red">a</p>`, `<style>p{color:red}</style><style></style><p style="color:red">a</p>`},
		"harmful rules only":       {`<style>@import url(x);p{color:red}@font-face{src:url(y)}@media print{b{color:blue}}.a{behavior:x}i:after{content:"jane@gmail.com"}u{top:0}</style>`, `<style>p{color:red}@media print{b{color:blue}}u{top:0}</style>`},
		"rules with tricks":        {`<style>a{content:"}"} @IMPORT "x"; b{c:u\72l(x)}p{x:y}</style><style>p{x:u/**/rl(z)}</style>`, `<style>a{content:"}"}p{x:y}</style><style></style>`},
		"pixel":                    {`a<img src="https://t.example/o.gif" width="1" height="1"><img src="https://t.example/p.gif" style="display:none"><img src="https://t.example/logo.png" width="100">`, `a<img src="https://t.example/logo.png" width="100">`},
		"pixel of a word":          {`<table width="1"><tr><td>a</td></tr></table>`, `<table width="1"><tr><td>a</td></tr></table>`},
		"cid":                      {`<img src="cid:image001.png@realmail.example" alt="jane@gmail.com">`, `<img src="cid:` + rw.contentID("image001.png@realmail.example") + `" alt="Jane Roe">`},
		"safelinks":                {`<a href="https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fexample.org%2F&amp;data=05%7C02%7Cjane%40gmail.com%7Cx">l</a>`, `<a href="https://example.org/">l</a>`},
		"unescaped address":        {`<p>a</p><blockquote>Jane <jane@gmail.com> wrote:</blockquote>`, `<p>a</p><blockquote>Jane  wrote:</blockquote>`},
		"plaintext and svg":        {`a<svg><style><img src=x onerror=y></style></svg>b<plaintext><b>c`, `ab&lt;b&gt;c`},
		"hidden text":              {`<p>a</p><span style="display:none">jane@gmail.com</span>`, `<p>a</p><span style="display:none">Jane Roe</span>`},
		"double entities":          {`<blockquote>jane&amp;#64;gmail.com</blockquote>`, `<blockquote>Jane Roe</blockquote>`},
		"word's own elements":      {`<p class="MsoNormal">a<o:p></o:p></p><!--[if gte mso 9]><xml>jane@gmail.com</xml><![endif]-->`, `<p class="MsoNormal">a</p>`},
		"broken":                   {`<p>a</b></p></div><td>b<<>&`, `<p>a</p><td>b&lt;&lt;&gt;&amp;`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := rw.htmlText(c.in, opening{}, false)
			if err != nil || got != c.want {
				t.Errorf("%s\n gives %s\n  want %s\n%v", c.in, got, c.want, err)
			}
		})
	}
}

func TestPrefaceHTML(t *testing.T) {
	rw := &rewriter{o: Options{Identity: jane}, id: compile(&jane)}
	for in, want := range map[string]string{
		`<html><head><style>p{}</style></head><body bgcolor="red"><p>a</p></body></html>`: `<html><head><style>p{}</style></head><body bgcolor="red"><p>A &lt; B</p>` + "\n" + `<p>a</p></body></html>`,
		"<p>a</p>": "<p>A &lt; B</p>\n<p>a</p>",
		"a":        "<p>A &lt; B</p>\na",
		"":         "<p>A &lt; B</p>\n",
	} {
		got, err := rw.htmlText(in, opening{preface: "A < B"}, false)
		if err != nil || got != want {
			t.Errorf("%s\n gives %s\n  want %s\n%v", in, got, want, err)
		}
	}
}
