package dashboard

import "strings"

// browsers and systems are what programs call themselves, in the order in which they have to be looked for: most of them
// say that they are several.
var (
	browsers = [][2]string{
		{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Vivaldi/", "Vivaldi"}, {"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"},
		{"CriOS/", "Chrome"}, {"HeadlessChrome/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"},
	}
	systems = [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"}}
)

// device says in words what a browser runs on: "Chrome on Windows". What is not known is called what it calls itself, and
// "" what says nothing.
func device(agent string) string {
	in := func(table [][2]string) string {
		for _, known := range table {
			if strings.Contains(agent, known[0]) {
				return known[1]
			}
		}
		return ""
	}
	name, system := in(browsers), in(systems)
	switch {
	case name == "":
		return agent
	case system == "":
		return name
	}
	return name + " on " + system
}

// deviceWord is device for a list, where something has to stand.
func deviceWord(agent string) string {
	if d := device(agent); d != "" {
		return d
	}
	return "A browser that does not say which"
}
