package sanitize

import "strings"

// sharedProvider reports whether many people have addresses at a domain, so
// that the domain alone points to nobody.
func sharedProvider(name string) bool {
	if shared[name] {
		return true
	}
	for _, p := range sharedFamilies {
		if rest, ok := strings.CutPrefix(name, p); ok && strings.Count(rest, ".") <= 1 {
			return true
		}
	}
	return false
}

// sharedFamilies are providers with a domain in each country.
var sharedFamilies = []string{"yahoo.", "hotmail.", "outlook.", "live.", "msn.", "gmx.", "yandex.", "aol.", "protonmail.", "ymail."}

var shared = func() map[string]bool {
	m := map[string]bool{}
	for _, name := range strings.Fields(`
gmail.com googlemail.com icloud.com me.com mac.com proton.me pm.me rocketmail.com passport.com
web.de freenet.de t-online.de arcor.de mail.de posteo.de mailbox.org 1und1.de online.de vodafone.de email.de kabelmail.de
laposte.net orange.fr wanadoo.fr free.fr sfr.fr neuf.fr bbox.fr numericable.fr
libero.it virgilio.it alice.it tin.it tiscali.it fastwebnet.it inwind.it iol.it pec.it aruba.it
btinternet.com sky.com virginmedia.com ntlworld.com talktalk.net blueyonder.co.uk tiscali.co.uk
comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net juno.com optonline.net
rogers.com shaw.ca telus.net sympatico.ca videotron.ca bigpond.com bigpond.net.au optusnet.com.au iinet.net.au xtra.co.nz
mail.ru bk.ru inbox.ru list.ru rambler.ru ya.ru ukr.net i.ua meta.ua
qq.com 163.com 126.com sina.com sina.cn sohu.com foxmail.com yeah.net aliyun.com 139.com 189.cn
naver.com daum.net hanmail.net nate.com kakao.com docomo.ne.jp ezweb.ne.jp softbank.ne.jp i.softbank.jp nifty.com ocn.ne.jp
uol.com.br bol.com.br terra.com.br ig.com.br globo.com telefonica.net terra.es
wp.pl o2.pl onet.pl interia.pl poczta.onet.pl op.pl vp.pl gazeta.pl seznam.cz centrum.cz email.cz post.cz azet.sk centrum.sk
freemail.hu citromail.hu indamail.hu abv.bg mail.bg dir.bg inbox.lv inbox.lt mail.ee hot.ee
telia.com comhem.se spray.se bredband.net online.no tdcadsl.dk mail.dk jubii.dk kolumbus.fi luukku.com suomi24.fi elisanet.fi
ziggo.nl kpnmail.nl planet.nl hetnet.nl xs4all.nl home.nl upcmail.nl telenet.be skynet.be proximus.be scarlet.be
bluewin.ch hispeed.ch sunrise.ch a1.net chello.at aon.at inode.at liwest.at
rediffmail.com sify.com indiatimes.com walla.co.il walla.com netvision.net.il bezeqint.net
mail.com email.com usa.com europe.com post.com consultant.com fastmail.com fastmail.fm hey.com hushmail.com zoho.com zohomail.com zohomail.eu
tutanota.com tutanota.de tutamail.com tuta.io tuta.com keemail.me runbox.com mailfence.com disroot.org riseup.net
duck.com relay.firefox.com mozmail.com privaterelay.appleid.com simplelogin.com anonaddy.me gmx.net posteo.net yopmail.com mailinator.com
`) {
		m[name] = true
	}
	return m
}()
