package mail

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
)

func TestUnlink(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"evil.com":                        "evil. com",
		"http://evil.com/login?x=1":       "http: / /evil. com/login?x=1",
		"see www.evil.com now":            "see www. evil. com now",
		"ada@evil.com":                    "ada @ evil. com",
		"mailto:ada@x.org":                "mailto: ada @ x. org",
		"javascript:alert(1)":             "javascript: alert(1)",
		"tel:+15551234":                   "tel: +15551234",
		`\\evil\share`:                    `\ \evil\share`,
		"//evil.com":                      "/ /evil. com",
		"192.0.2.1":                       "192. 0. 2. 1",
		"evil。com":                        "evil。 com",
		"évil.рф":                         "évil. рф",
		"xn--e1awd7f.com":                 "xn--e1awd7f. com",
		"evil..com":                       "evil.. com",
		"Acme Inc.":                       "Acme Inc.",
		"J. P. Morgan":                    "J. P. Morgan",
		"Team 2.0":                        "Team 2.0",
		"R&D: Platform":                   "R&D: Platform",
		"9:30 club":                       "9:30 club",
		"Larkfield Robotics (Japan) K.K.": "Larkfield Robotics (Japan) K. K.",
		"a/b testing":                     "a/b testing",
		"@platform":                       "@platform",
		"":                                "",
	} {
		if got := unlink(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
		if got := strings.ReplaceAll(unlinkHTML(in), "\u200c", ""); got != in {
			t.Errorf("in HTML %q looks like %q", in, got)
		}
	}
}

var linkable = regexp.MustCompile(`(?i)[\pL\pN\pM_-][.。．｡][\pL\pM_-]|://|\pL:[/\pL]|\S@\S|\\\\|\d\.\d+\.\d+\.\d`)

func FuzzTenantTextIsNeverLinkable(f *testing.F) {
	for _, s := range []string{"evil.com", "http://evil.com", "a@b.c", "1.2.3.4", `\\x\y`, "e\u200dvil.\u200dcom", "\u202egro.live", "a\r\nb", "日本。例え", "x.\u0301y", "a:b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := unlink(tenantName(s))
		if m := linkable.FindString(out); m != "" {
			t.Errorf("%q became %q, where %q may turn into a link", s, out, m)
		}
		for _, r := range out {
			if unicode.IsControl(r) || (unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d') {
				t.Errorf("%q became %q with %U in it", s, out, r)
			}
		}
		if html := unlinkHTML(tenantName(s)); linkable.MatchString(strings.ReplaceAll(html, "\u200c", " ")) {
			t.Errorf("in HTML %q became %q", s, html)
		}
	})
}

func TestClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Ada\r\nBcc: x":               "Ada Bcc: x",
		"\u202eevil\u202c \u2066x":    "evil x",
		"a\u200bb\ufeffc\u00add":      "abcd",
		"  a \t\u2028 b\x00":          "a b",
		"👩\u200d💻":                    "👩\u200d💻",
		"می\u200cخواهم":               "می\u200cخواهم",
		"tag\U000e0041\U000e0042":     "tag",
		"bad\xffutf8":                 "bad�utf8",
		"\u00a0no-break\u3000spaces ": "no-break spaces",
	} {
		if got := clean(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	if got := tenantName(strings.Repeat("x", 500)); len([]rune(got)) != 80 {
		t.Errorf("a long name has %d runes", len([]rune(got)))
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	link := "https://outpost.example/invite/" + strings.Repeat("x", 100)
	in := strings.Repeat("word ", 40) + "\n" + link + "\n\n-- \nfoot"
	out := wrap(in)
	if !strings.Contains(out, "\n"+link+"\n\n-- \nfoot") {
		t.Errorf("the link or the signature mark is broken in\n%s", out)
	}
	for line := range strings.SplitSeq(out, "\n") {
		if len(line) > 72 && line != link {
			t.Errorf("too long: %q", line)
		}
	}
}
