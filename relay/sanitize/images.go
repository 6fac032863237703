package sanitize

import (
	"encoding/base64"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// RemoteImages is what is done with images that a text loads from the web.
// Those that are there to be fetched, not seen, are removed in any case.
type RemoteImages string

// The policies of privacy.remote_images. A blocked image leaves its
// description (alt) behind.
const (
	RemoteKeep  RemoteImages = "keep"
	RemoteBlock RemoteImages = "block"
)

// image decides about an img element and where its image comes from. It
// reports whether the element stays.
func (rw *rewriter) image(t *htmlToken) bool {
	src := attr(t.attrs, "src")
	if isRemote(src) && (t.hidden&hidesAll != 0 || isTracker(src, t.attrs)) {
		return false
	}
	kept := t.attrs[:0]
	shown := false
	for _, a := range t.attrs {
		if a.Key == "src" {
			if a.Val = rw.imageSource(src); a.Val == "" || shown {
				continue
			}
			shown = true
		}
		kept = append(kept, a)
	}
	t.attrs = kept
	return shown || isRemote(src) && strings.TrimSpace(attr(kept, "alt")) != ""
}

// imageSource decides where an image comes from: another part, the web, or
// the text itself; everything else is a path on somebody's disk. A remote one
// that may not be fetched has none.
func (rw *rewriter) imageSource(v string) string {
	v = strings.TrimSpace(v)
	scheme, rest, _ := strings.Cut(v, ":")
	switch strings.ToLower(scheme) {
	case "cid":
		return rw.cidLink(rest)
	case "http", "https":
		if rw.o.RemoteImages == RemoteBlock || len(rw.id.find(v)) > 0 {
			return ""
		}
		return v
	case "data":
		return rw.dataImage(rest)
	}
	return ""
}

// dataImage takes the metadata out of an image that is in the link itself.
func (rw *rewriter) dataImage(rest string) string {
	kind, data, ok := strings.Cut(rest, ",")
	kind, isBase64 := strings.CutSuffix(strings.ToLower(strings.ReplaceAll(kind, " ", "")), ";base64")
	if !ok || !isBase64 || !strings.HasPrefix(kind, "image/") || kind == "image/svg+xml" || !isMediaToken(kind) {
		return ""
	}
	clean, ok := rw.stripped(decodeBase64(percentDecode(data)))
	if !ok {
		return ""
	}
	return "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(clean)
}

// isRemote reports whether an image is loaded from the web.
func isRemote(src string) bool {
	scheme, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(src)), ":")
	return scheme == "http" || scheme == "https"
}

// isTracker reports whether a remote image is there to be fetched, not seen:
// of a pixel's size, hidden, or from a service that counts openings.
func isTracker(src string, attrs []html.Attribute) bool {
	tiny := func(s string) bool {
		s = strings.TrimSuffix(strings.TrimSpace(s), "px")
		return s == "0" || s == "1" || s == "2"
	}
	if tiny(attr(attrs, "width")) || tiny(attr(attrs, "height")) {
		return true
	}
	for d := range strings.SplitSeq(strings.ToLower(strings.ReplaceAll(attr(attrs, "style"), " ", "")), ";") {
		if name, value, _ := strings.Cut(d, ":"); (name == "width" || name == "height" || name == "max-width" || name == "max-height") && tiny(strings.TrimSuffix(value, "!important")) {
			return true
		}
	}
	u, err := url.Parse(strings.ToLower(strings.TrimSpace(src)))
	if err != nil {
		return true // no image has such an address
	}
	for _, p := range trackerPaths {
		if strings.Contains(u.Path, p) {
			return true
		}
	}
	for host := u.Hostname(); host != ""; _, host, _ = strings.Cut(host, ".") {
		if trackerHosts[host] {
			return true
		}
	}
	return false
}

// trackerPaths are where the larger mailing services count openings, under
// the domains of their customers.
var trackerPaths = []string{
	"/track/open", "/wf/open", "/trk/open", "/tracking/open", "/open/track", "/email/open", "/e/open", "/open.php", "/open.aspx", "/opened.gif", "/o.gif",
	"/open.gif", "/pixel.gif", "/pixel.png", "/trackingpixel", "/tracking-pixel", "/tracking_pixel", "/track.gif", "/beacon.gif", "/trackopen", "/openrate",
	"/__ptq.gif", "/on.jsp", "/ss/o/",
}

// trackerHosts serve nothing but counted openings, with the hosts below them.
var trackerHosts = func() map[string]bool {
	m := map[string]bool{}
	for name := range strings.FieldsSeq(`
mailtrack.io mltrk.io mailtrack.me t.yesware.com app.yesware.com bl-1.com getnotify.com mailfoogae.appspot.com track.mixmax.com email.mixmax.com
t.hubspotemail.net t.sidekickopen.com t.signaux.com t.hsms06.com track.hubspot.com outrch.com api.outreach.io salesloft-tracking.com mailstat.us
tracking.cirrusinsight.com r.superhuman.com gmass.co polymail.io readnotify.com didtheyreadit.com whoreadme.com emltrk.com pstmrk.it contactmonkey.com
bowtie.mailbutler.io mailbutler.link tr.cloudmagic.com tracking.snov.io track.woodpecker.co t.reply.io lemlist-tracking.com saleshandy.com docsend-tracking.com
google-analytics.com analytics.google.com doubleclick.net googleadservices.com facebook.net px.ads.linkedin.com bat.bing.com pixel.mathtag.com
trk.klaviyomail.com trk.email.dynect.net links.iterable.com ea.pstmrk.com open.convertkit-mail.com open.substack.com eotrx.substackcdn.com
click.mlsend.com tracking.mailerlite.com mandrillapp.com demdex.net omtrdc.net 2o7.net hitbox.com sendibt3.com sendibm1.com freshmarketer.com
`) {
		m[name] = true
	}
	return m
}()
