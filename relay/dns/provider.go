package dns

// providers are forms that want names or quotes in another way than most. A
// form that is not here takes the name in front of the zone's name (@ for the
// zone itself) and a TXT's text as the table has it.
var providers = []struct{ name, note string }{
	{"BIND, Knot, NSD, PowerDNS", "stagedoor dns records --zone prints lines for the zone file."},
	{"Cloudflare", "a TXT's text as it is: a long one is split there. Switch A, AAAA and CNAME to \"DNS only\": its proxy does not pass mail, and certificates and MTA-STS need the server itself."},
	{"Route 53", "a TXT's text in double quotes, in pieces of at most 255 octets on one line, as --zone prints it. The preference of MX and the numbers of SRV stand in the value."},
	{"Google Cloud DNS", "a TXT's text in double quotes and pieces, as --zone prints it: without quotes its spaces are lost."},
	{"GoDaddy, Namecheap, Squarespace", "the name without the zone's own: stagedoor._domainkey.msg, not stagedoor._domainkey.msg.example.com, which would become ….example.com.example.com. A TXT's text without quotes; the preference of MX in a field of its own."},
}
