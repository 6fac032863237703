package sanitize

import (
	"slices"
	"strings"
)

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

// sameMailbox returns the domains at which a provider gives everybody the same
// mailbox as at name, with name.
func sameMailbox(name string) []string {
	for _, list := range mailboxFamilies {
		if slices.Contains(list, name) {
			return list
		}
	}
	return nil
}

var mailboxFamilies = [][]string{
	{"gmail.com", "googlemail.com"},
	{"icloud.com", "me.com", "mac.com"},
	{"proton.me", "protonmail.com", "pm.me", "protonmail.ch"},
	{"yandex.ru", "yandex.com", "ya.ru", "yandex.by", "yandex.kz", "yandex.ua"},
}

// sharedFamilies are providers with a domain in each country.
var sharedFamilies = []string{"yahoo.", "hotmail.", "outlook.", "live.", "msn.", "gmx.", "yandex.", "aol.", "protonmail.", "ymail.", "btinternet.", "orange.", "vodafone.", "tiscali.", "rocketmail."}

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
zohomail.in zohomail.com.au mail.be mail.ch mail.at mail.fr mail.com.tr mynet.com superonline.com ttmail.com turk.net
bezeqint.net.il 012.net.il zahav.net.il nana10.co.il outlook.co.il walla.com.il emirates.net.ae eim.ae batelco.com.bh
singnet.com.sg pacific.net.sg starhub.net.sg streamyx.com tm.net.my maxis.net.my pldtdsl.net globe.com.ph hinet.net seed.net.tw pchome.com.tw
netvigator.com hkbn.net biglobe.ne.jp so-net.ne.jp plala.or.jp dion.ne.jp au.com ymobile.ne.jp rakuten.jp goo.jp excite.co.jp
vsnl.net airtelmail.in bsnl.in vtr.net entel.cl speedy.com.ar fibertel.com.ar arnet.com.ar ciudad.com.ar prodigy.net.mx telmex.com une.net.co etb.net.co cantv.net
sapo.pt netcabo.pt clix.pt iol.pt mail.pt portugalmail.pt ono.com euskalnet.net telecable.es movistar.es jazzfree.com
otenet.gr forthnet.gr hol.gr freemail.gr in.gr cytanet.com.cy eircom.net iol.ie vodafone.ie
t-home.hu upcmail.hu chello.hu vipmail.hu mailbox.hu volny.cz tiscali.cz quick.cz atlas.cz zoznam.sk pobox.sk post.sk t-com.hr net.hr iskon.hr siol.net telemach.net volja.net
tele2.se home.se live.se swipnet.se passagen.se telenor.no getmail.no broadpark.no start.no c2i.net sol.dk stofanet.dk webspeed.dk post.tele.dk
pp.inet.fi inet.fi dnainternet.net welho.com saunalahti.fi kotiposti.net simnet.is internet.is luxweb.lu pt.lu
bluemail.ch gmx.ch swissonline.ch netplus.ch vtxnet.ch green.ch kabsi.at utanet.at tele2.at drei.at
versatel.nl casema.nl chello.nl solcon.nl zonnet.nl caiway.nl online.nl tele2.nl quicknet.nl
cegetel.net club-internet.fr aliceadsl.fr noos.fr dbmail.com nordnet.fr voila.fr gmx.fr bouyguestelecom.fr
htp-tel.de ewetel.net ewe.net gmx.info netcologne.de unitybox.de osnanet.de versanet.de alice.de alice-dsl.net o2online.de o2mail.de unity-mail.de lycos.de
ntlworld.co.uk plus.com plusnet.com zen.co.uk talk21.com btopenworld.com supanet.com o2.co.uk fsmail.net onetel.com
frontier.com windstream.net centurylink.net embarqmail.com suddenlink.net roadrunner.com rr.com twc.com mindspring.com netzero.net peoplepc.com prodigy.net ameritech.net pacbell.net swbell.net snet.net
bell.net eastlink.ca cogeco.ca nb.sympatico.ca mts.net sasktel.net tpg.com.au westnet.com.au internode.on.net dodo.com.au ozemail.com.au clear.net.nz slingshot.co.nz vodafone.co.nz
webmail.co.za mweb.co.za telkomsa.net iafrica.com vodamail.co.za absamail.co.za
bigmir.net mail.ua email.ua online.ua tut.by internet.ru pochta.ru qip.ru hotbox.ru nextmail.ru lenta.ru
21cn.com tom.com wo.cn vip.qq.com vip.163.com vip.sina.com vip.126.com 188.com netease.com
paran.com empas.com dreamwiz.com lycos.co.kr korea.com hitel.net
fpt.vn vnn.vn viettel.vn ptt.cc
mailo.com mail.fr tutamail.com cock.li startmail.com posteo.org ctemplar.com kolabnow.com countermail.com soverin.net migadu.com
lycos.com excite.com netscape.net netscape.com compuserve.com angelfire.com bigfoot.com iname.com lavabit.com inbox.com in.com myself.com techie.com writeme.com
passmail.net slmail.me addy.io 33mail.com spamgourmet.com guerrillamail.com sharklasers.com 10minutemail.com
users.noreply.github.com github.com
duck.com relay.firefox.com mozmail.com privaterelay.appleid.com simplelogin.com anonaddy.me gmx.net posteo.net yopmail.com mailinator.com
`) {
		m[name] = true
	}
	return m
}()
