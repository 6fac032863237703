package web

import "strings"

// agentName says in a person's words which browser a User-Agent field names:
// "Firefox on Windows". Order matters: most browsers name others too.
func agentName(agent string) string {
	name := firstIn(agent, "A browser", []named{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser", "Samsung Internet"}, {"Vivaldi", "Vivaldi"},
		{"Firefox", "Firefox"}, {"FxiOS", "Firefox"}, {"CriOS", "Chrome"}, {"Chrome", "Chrome"}, {"Chromium", "Chromium"}, {"Safari", "Safari"},
	})
	system := firstIn(agent, "", []named{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"},
		{"Mac OS X", "Mac"}, {"Macintosh", "Mac"}, {"Linux", "Linux"},
	})
	if system == "" {
		return name
	}
	return name + " on " + system
}

// named is what a product's token in a User-Agent field stands for.
type named struct{ token, name string }

func firstIn(agent, otherwise string, list []named) string {
	for _, n := range list {
		if strings.Contains(agent, n.token) {
			return n.name
		}
	}
	return otherwise
}
