package mail

import (
	"errors"
	"html"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"regexp"
	"strings"
	"testing"
	"time"
)

const host = "outpost.example.com"

func invitation() Invitation {
	return Invitation{
		ID: "7Hq2", To: "hana.sato@larkfield.example", Name: "Hana", Workspace: "Larkfield Robotics", InvitedBy: "Larkfield IT",
		Provider: "Okta", Teams: []string{"Engineering", "Platform"}, AcceptURL: "https://outpost.example.com/invite/7Hq2mVb9KxT4wZr1",
		ExpiresAt: time.Date(2026, 12, 1, 14, 5, 0, 0, time.FixedZone("CET", 3600)), SignInWithSSO: true,
	}
}

// mails is one of each, in hostile hands: every field a tenant fills holds evil.
func mails(evil string) map[string]func() (Message, error) {
	i := invitation()
	i.Name, i.Workspace, i.InvitedBy, i.Provider, i.Teams = evil, evil, evil, evil, []string{evil, evil}
	r := i
	r.Reminder, r.SignInWithSSO = true, false
	a := AddressChanged{ID: "1", To: "hana@larkfield.example", Name: evil, Workspace: evil, Provider: evil, NewAddress: evil}
	s := SignIn{ID: "1", To: "hana@larkfield.example", URL: "https://outpost.example.com/signin/x", ExpiresAt: i.ExpiresAt}
	b := Brake{ID: "1", To: "hana@larkfield.example", Workspace: evil, Provider: evil, Removed: 148, Held: 38, Limit: 148,
		During: 11 * time.Minute, FirstHeld: i.ExpiresAt, URL: "https://outpost.example.com/activity/held"}
	q := s
	q.ID, q.Provider, q.Workspace, q.URL, q.ProviderURL = "2", "Okta", evil, "", "https://outpost.example.com/saml/x/login"
	c := CertificateEnds{ID: "1", To: "hana@larkfield.example", Workspace: evil, Provider: "Okta", EndsAt: i.ExpiresAt, Now: i.ExpiresAt.Add(-7 * 24 * time.Hour), URL: "https://outpost.example.com/settings/security/sso"}
	build := func(m interface {
		Message(Address, string) (Message, error)
	}) func() (Message, error) {
		return func() (Message, error) { return m.Message(from, host) }
	}
	return map[string]func() (Message, error){"invitation": build(i), "reminder": build(r), "address changed": build(a), "sign-in": build(s), "brake": build(b), "sign-in required": build(q), "certificate": build(c)}
}

func TestInvitationSaysTheSameInBothParts(t *testing.T) {
	t.Parallel()
	m, err := invitation().Message(from, host)
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject != "Join Larkfield Robotics on Outpost" || m.MessageID != "<inv.7Hq2@outpost.example.com>" || m.To != "hana.sato@larkfield.example" {
		t.Errorf("subject %q, id %q, to %q", m.Subject, m.MessageID, m.To)
	}
	text := `Join Larkfield Robotics

Hello Hana,

Larkfield IT added you to their workspace on Outpost, in the teams
Engineering and Platform. Open the invitation to join. You sign in with
Okta, there is no new password.

Open the invitation:
https://outpost.example.com/invite/7Hq2mVb9KxT4wZr1

The link is for you alone and works until Tuesday, 1 December 2026,
14:05 (CET).

-- 
You get this because your company assigned you to Outpost. It was sent
to hana.sato@larkfield.example. Not expected? Ignore it, or tell your IT
team.
`
	if m.Text != text {
		t.Errorf("the text is\n%s\nwant\n%s", m.Text, text)
	}
	page := visible(m.HTML)
	for paragraph := range strings.SplitSeq(strings.ReplaceAll(text, "-- \n", ""), "\n\n") {
		paragraph = strings.Join(strings.Fields(strings.TrimPrefix(paragraph, "Open the invitation:\n")), " ")
		if !strings.Contains(page, paragraph) {
			t.Errorf("the page lacks %q in\n%s", paragraph, page)
		}
	}
}

// visible is a page's text as a reader sees it.
func visible(page string) string {
	page = regexp.MustCompile(`(?s)<style>.*?</style>`).ReplaceAllString(page, "")
	page = regexp.MustCompile(`</?(bdi|b)>`).ReplaceAllString(page, "")
	page = html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, " "))
	return strings.Join(strings.Fields(strings.ReplaceAll(page, "\u200c", "")), " ")
}

func TestInvitationVariants(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change    func(*Invitation)
		has, lack string
	}{
		"reminder":       {func(i *Invitation) { i.Reminder = true }, "Your invitation to a workspace on Outpost is still open.", ""},
		"no name":        {func(i *Invitation) { i.Name = "" }, "Hello,", "Hello ,"},
		"no inviter":     {func(i *Invitation) { i.InvitedBy = "" }, "Your IT team added you", ""},
		"no team":        {func(i *Invitation) { i.Teams = nil }, "workspace on Outpost. Open", "team"},
		"one team":       {func(i *Invitation) { i.Teams = i.Teams[:1] }, "in the team Engineering.", "teams"},
		"many teams":     {func(i *Invitation) { i.Teams = strings.Fields("a b c d e f g") }, "in the teams a, b, c, d, e and 2 more.", ""},
		"no SSO":         {func(i *Invitation) { i.SignInWithSSO = false }, "a link that we mail to you", "Okta"},
		"SSO, no name":   {func(i *Invitation) { i.Provider = "" }, "You sign in with your company account", ""},
		"UTC":            {func(i *Invitation) { i.ExpiresAt = i.ExpiresAt.UTC() }, "13:05 (UTC)", ""},
		"unnamed zone":   {func(i *Invitation) { i.ExpiresAt = i.ExpiresAt.In(time.FixedZone("", -9000)) }, "10:35 (UTC-02:30)", ""},
		"dotted company": {func(i *Invitation) { i.InvitedBy = "monday.com" }, "monday. com added you", "monday.com"},
	} {
		i := invitation()
		c.change(&i)
		m, err := i.Message(from, host)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text := strings.Join(strings.Fields(m.Text), " ")
		body, _, _ := strings.Cut(text, "-- ")
		if !strings.Contains(text, c.has) || (c.lack != "" && strings.Contains(body, c.lack)) {
			t.Errorf("%s: %q should be and %q should not be in\n%s", name, c.has, c.lack, m.Text)
		}
		if page := visible(m.HTML); !strings.Contains(page, strings.ReplaceAll(c.has, ". com", ".com")) {
			t.Errorf("%s: %q should be in the page\n%s", name, c.has, page)
		}
	}
}

func TestHostileNamesStayText(t *testing.T) {
	t.Parallel()
	href := regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)
	anchor := regexp.MustCompile(`(?s)<a [^>]*>(.*?)</a>`)
	for _, evil := range []string{
		"evil.com", "http://evil.com/x", "www.evil.com", "ada@evil.com", `<a href="https://evil.com">x</a>`, "<script>alert(1)</script>",
		"x\r\nBcc: all@evil.com", "\u202eevil.com", "javascript:alert(1)", `\\evil\share`, `"><img src=//evil.com/x>`, "{{.AcceptURL}}", strings.Repeat("evil.com ", 99),
	} {
		for name, build := range mails(evil) {
			m, err := build()
			if err != nil {
				t.Errorf("%s with %q: %v", name, evil, err)
				continue
			}
			if strings.HasPrefix(m.Subject, strings.TrimSpace(evil)[:1]) || hasControl(m.Subject) || len([]rune(m.Subject)) > 120 {
				t.Errorf("%s: subject %q", name, m.Subject)
			}
			for _, word := range strings.Fields(m.Text) {
				word = strings.Trim(word, ".,")
				if linkable.MatchString(word) && !strings.HasPrefix(word, "https://outpost.example.com/") && word != m.To {
					t.Errorf("%s with %q: the text has the linkable %q", name, evil, word)
				}
			}
			for _, link := range href.FindAllStringSubmatch(m.HTML, -1) {
				if !strings.HasPrefix(link[1], "https://outpost.example.com/") {
					t.Errorf("%s with %q links to %s", name, evil, link[1])
				}
			}
			for _, a := range anchor.FindAllStringSubmatch(m.HTML, -1) {
				if strings.Contains(a[1], "evil") {
					t.Errorf("%s with %q: link text %q", name, evil, a[1])
				}
			}
			if strings.Contains(m.HTML, "<script") || strings.Contains(m.HTML, "<img") || strings.ContainsAny(m.HTML+m.Text, "\u202e\r\x00") {
				t.Errorf("%s with %q: not escaped", name, evil)
			}
		}
	}
}

func TestLinksLeadToOurHostOnly(t *testing.T) {
	t.Parallel()
	for link, good := range map[string]bool{
		"https://outpost.example.com/invite/x":            true,
		"https://OUTPOST.example.com:8443/invite/x?a=b&c": true,
		"https://evil.com/invite/x":                       false,
		"https://outpost.example.com.evil.com/":           false,
		"https://outpost.example.com@evil.com/":           false,
		"https://evil@outpost.example.com/":               false,
		"javascript:alert(1)":                             false,
		"//outpost.example.com/x":                         false,
		"/invite/x":                                       false,
		"":                                                false,
		"https://outpost.example.com/\r\nx":               false,
	} {
		i, s, b := invitation(), SignIn{ID: "1", To: "a@b.example", URL: link}, Brake{ID: "1", To: "a@b.example", URL: link}
		i.AcceptURL = link
		_, err1 := i.Message(from, host+":443")
		_, err2 := s.Message(from, host)
		_, err3 := b.Message(from, host)
		_, err4 := CertificateEnds{ID: "1", To: "a@b.example", Provider: "Okta", URL: link}.Message(from, host)
		for _, err := range []error{err1, err2, err3, err4} {
			if (err == nil) != good || (err != nil && ClassOf(err) != Invalid) {
				t.Errorf("%q: got %v", link, err)
			}
		}
	}
	i := invitation()
	i.AcceptURL = "http://127.0.0.1:8080/invite/x"
	if m, err := i.Message(from, "127.0.0.1:8080"); err != nil || m.MessageID != "<inv.7Hq2@127.0.0.1>" {
		t.Errorf("in development: %q, %v", m.MessageID, err)
	}
	i.AcceptURL = "http://[::1]:8080/invite/x"
	if m, err := i.Message(from, "[::1]:8080"); err != nil || m.MessageID != "<inv.7Hq2@[IPv6:::1]>" {
		t.Errorf("on IPv6: %q, %v", m.MessageID, err)
	}
}

func TestHeaderInjectionIsInvalid(t *testing.T) {
	t.Parallel()
	p := newPeer(t, script{})
	s := p.sender()
	box, _ := OpenMailbox("")
	for name, change := range map[string]func(*Message){
		"to CRLF":         func(m *Message) { m.To = "ada@x.example\r\nBcc: all@x.example" },
		"to LF":           func(m *Message) { m.To = "ada@x.example\n" },
		"to parameters":   func(m *Message) { m.To = `"ada@x.example> SIZE=1"@x.example` },
		"to bracket":      func(m *Message) { m.To = "ada@x.example> NOTIFY=NEVER" },
		"to two":          func(m *Message) { m.To = "ada@x.example, bob@x.example" },
		"to named":        func(m *Message) { m.To = "Ada <ada@x.example>" },
		"to nobody":       func(m *Message) { m.To = "" },
		"to no host":      func(m *Message) { m.To = "ada" },
		"to bidi":         func(m *Message) { m.To = "ada\u202e@x.example" },
		"to literal":      func(m *Message) { m.To = "ada@[127.0.0.1]" },
		"from CRLF":       func(m *Message) { m.From.Email = "a@b.example\r\n" },
		"from name CRLF":  func(m *Message) { m.From.Name = "Outpost\r\nX: y" },
		"subject CRLF":    func(m *Message) { m.Subject = "Join\r\nBcc: all@x.example" },
		"id CRLF":         func(m *Message) { m.MessageID = "<a\r\n@b>" },
		"id without host": func(m *Message) { m.MessageID = "<inv.1>" },
		"id empty":        func(m *Message) { m.MessageID = messageID("inv", "", host) },
		"id two":          func(m *Message) { m.MessageID = "<a@b> <c@d>" },
		"header CRLF":     func(m *Message) { m.Headers = map[string]string{"X-A": "b\r\nBcc: c"} },
		"header name":     func(m *Message) { m.Headers = map[string]string{"X-A: b\r\nBcc": "c"} },
		"no text":         func(m *Message) { m.Text = "" },
		"no HTML":         func(m *Message) { m.HTML = "" },
	} {
		m := hello("ada@larkfield.example")
		change(&m)
		for _, sender := range []Sender{s, box} {
			_, err := sender.Send(patience(t), m, func() error { t.Errorf("%s: committing was called", name); return nil })
			if ClassOf(err) != Invalid {
				t.Errorf("%s: got %v (%s)", name, err, ClassOf(err))
			} else if hasControl(err.Error()) {
				t.Errorf("%s: the error has a line break: %q", name, err)
			}
		}
	}
	if p.connected() != 0 {
		t.Error("the server was bothered")
	}
}

func TestWhatTheServerGets(t *testing.T) {
	t.Parallel()
	p := newPeer(t, script{})
	s := p.sender()
	i := invitation()
	i.Workspace = "Bücher & Söhne 日本"
	m, err := i.Message(Address{Name: "Outpost für alle", Email: "no-reply@outpost.example"}, host)
	if err != nil {
		t.Fatal(err)
	}
	m.Headers = map[string]string{"Resend-Idempotency-Key": m.MessageID}
	for range 2 {
		if _, err := s.Send(patience(t), m, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, raw := range p.taken() {
		got, err := mail.ReadMessage(strings.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		decode := func(header string) string {
			s, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get(header))
			if err != nil {
				t.Error(err)
			}
			return s
		}
		for header, want := range map[string]string{
			"Subject": "Join Bücher & Söhne 日本 on Outpost", "Message-Id": "<inv.7Hq2@outpost.example.com>", "To": "<hana.sato@larkfield.example>",
			"From": `"Outpost für alle" <no-reply@outpost.example>`, "Auto-Submitted": "auto-generated", "Resend-Idempotency-Key": "<inv.7Hq2@outpost.example.com>",
		} {
			if have := decode(header); have != want && strings.ReplaceAll(have, `"`, "") != strings.ReplaceAll(want, `"`, "") {
				t.Errorf("%s is %q, want %q", header, have, want)
			}
		}
		if _, err := got.Header.Date(); err != nil || got.Header.Get("User-Agent") != "" || got.Header.Get("X-Mailer") != "" {
			t.Errorf("headers: %v, %v", err, got.Header)
		}
		kind, params, _ := mime.ParseMediaType(got.Header.Get("Content-Type"))
		if kind != "multipart/alternative" {
			t.Fatalf("the mail is %s", kind)
		}
		parts := multipart.NewReader(got.Body, params["boundary"])
		for _, want := range []struct{ kind, body string }{{"text/plain", m.Text}, {"text/html", m.HTML}} {
			part, err := parts.NextRawPart()
			if err != nil {
				t.Fatal(err)
			}
			if got := part.Header.Get("Content-Type"); !strings.HasPrefix(got, want.kind) || part.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
				t.Errorf("a part is %s, %v", got, part.Header)
			}
			body, err := io.ReadAll(quotedprintable.NewReader(part))
			if err != nil {
				t.Fatal(err)
			}
			if strings.TrimSpace(strings.ReplaceAll(string(body), "\r\n", "\n")) != strings.TrimSpace(want.body) {
				t.Errorf("the %s part arrived as\n%s", want.kind, body)
			}
		}
		if _, err := parts.NextRawPart(); err != io.EOF {
			t.Errorf("more than two parts: %v", err)
		}
		for line := range strings.SplitSeq(raw, "\r\n") {
			if len(line) > 998 || !isASCII(line) {
				t.Errorf("a line that not every relay takes: %q", line)
			}
		}
	}
}

func TestEveryMailIsComplete(t *testing.T) {
	t.Parallel()
	ids := map[string]bool{}
	for name, build := range mails("Larkfield") {
		m, err := build()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again, _ := build()
		if again.MessageID != m.MessageID || ids[m.MessageID] {
			t.Errorf("%s: Message-ID %s, then %s", name, m.MessageID, again.MessageID)
		}
		ids[m.MessageID] = true
		for _, part := range []string{m.Text, m.HTML} {
			if strings.Contains(part, "<no value>") || strings.Contains(part, "%!") || strings.Contains(part, "ZgotmplZ") {
				t.Errorf("%s has a hole:\n%s", name, part)
			}
		}
		if strings.Contains(m.HTML, "<img") || strings.Contains(m.HTML, "<link") || !strings.Contains(m.HTML, "prefers-color-scheme: dark") {
			t.Errorf("%s loads something, or knows no dark mode", name)
		}
		if strings.Contains(m.Text, "\n\n\n") {
			t.Errorf("%s has a gap:\n%s", name, m.Text)
		}
	}
}

func TestBrakeCounts(t *testing.T) {
	t.Parallel()
	b := Brake{ID: "1", To: "a@b.example", Workspace: "Larkfield Robotics", Provider: "Okta", Removed: 1480, Held: 1, Limit: 1480,
		During: 11 * time.Minute, FirstHeld: time.Date(2026, 11, 9, 13, 52, 0, 0, time.UTC), URL: "https://outpost.example.com/activity/held"}
	m, err := b.Message(from, host)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Okta asked to remove 1,481 people from Larkfield Robotics in 11 minutes.", "limit of 1,480 an hour", "First held 13:52 UTC"} {
		if text := strings.Join(strings.Fields(m.Text), " "); m.Subject != "1 removal waits for you" || !strings.Contains(text, want) {
			t.Errorf("%q is not in %q\n%s", want, m.Subject, m.Text)
		}
	}
	for d, want := range map[time.Duration]string{0: "one minute", time.Minute: "one minute", 11 * time.Minute: "11 minutes", 5 * time.Hour: "5 hours"} {
		if got := (Brake{During: d}).Minutes(); got != want {
			t.Errorf("%s is %q", d, got)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Address{
		"Outpost <no-reply@outpost.example>": {"Outpost", "no-reply@outpost.example"},
		"no-reply@outpost.example":           {"", "no-reply@outpost.example"},
		`"A, B" <a+b@outpost.example>`:       {"A, B", "a+b@outpost.example"},
	} {
		got, err := ParseAddress(in)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v", in, got, err)
		}
		if again, err := ParseAddress(got.String()); err != nil || again != got {
			t.Errorf("%s does not survive: %v", got, err)
		}
	}
	for _, in := range []string{"", "Outpost", "a@b.example\r\nX: y", "a@b.example, c@d.example", `"a b"@c.example`} {
		if got, err := ParseAddress(in); err == nil {
			t.Errorf("%q became %+v", in, got)
		}
	}
	for _, good := range []string{"ada@larkfield.example", "o'brien+x@a-b.example", "ADA@X.example", "jürgen@larkfield.example", "a@localhost"} {
		if err := CheckAddress(good); err != nil {
			t.Error(err)
		}
	}
}

func TestErrorUnwraps(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	err := error(&Error{Class: Temporary, Text: "what happened", Err: cause})
	if !errors.Is(err, cause) || err.Error() != "what happened" || ClassOf(cause) != "" || ClassOf(nil) != "" {
		t.Error(err)
	}
	said := (server{host: "mx"}).failed(phaseRcpt, "ada@x", &textproto.Error{Code: 550, Msg: "5.1.1 \x1b[31mno\u202e\nuser " + strings.Repeat("x", 999)})
	if hasControl(said.Text) || len(said.Text) > 400 || said.Enhanced != "5.1.1" {
		t.Errorf("%q", said.Text)
	}
}

func TestACopyIsAMailOfItsOwnAndASenderIsShownAsOne(t *testing.T) {
	t.Parallel()
	i := invitation()
	i.Copy, i.SenderName = 2, "Larkfield \u202eIT"
	m, err := i.Message(from, host)
	if err != nil {
		t.Fatal(err)
	}
	if m.MessageID != "<inv.7Hq2.2@outpost.example.com>" || m.From.Name != "Larkfield IT via Outpost" || m.From.Email != from.Email {
		t.Errorf("id %q, from %+v", m.MessageID, m.From)
	}
}

func TestCertificateEndsSaysHowLongIsLeft(t *testing.T) {
	t.Parallel()
	ends := time.Date(2027, 3, 14, 9, 0, 0, 0, time.UTC)
	for left, want := range map[time.Duration]string{
		30 * 24 * time.Hour: "ends in 30 days", 7*24*time.Hour - time.Hour: "ends in 7 days", 24 * time.Hour: "ends in 1 day ", time.Hour: "ends in 1 day ", 0: "has stopped", -time.Hour: "has stopped",
	} {
		m, err := CertificateEnds{ID: "1", To: "ines@acme.test", Workspace: "Acme", Provider: "Okta", EndsAt: ends, Now: ends.Add(-left), URL: "https://outpost.example.com/settings/security/sso"}.Message(from, host)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(m.Text), " ")
		if !strings.HasPrefix(text, "Sign-in with Okta "+want) || !strings.Contains(visible(m.HTML), strings.TrimSpace(want)) || !strings.Contains(text, "14 March 2027") {
			t.Errorf("with %v left: %s", left, text)
		}
	}
}
