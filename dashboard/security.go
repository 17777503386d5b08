package dashboard

import (
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"time"

	"outpost/models"
	"outpost/store"
)

// securityPage is Settings > Security: whether Directory Sync is on, and whether it may be.
type securityPage struct {
	Enterprise  bool
	Owner       bool
	Connections []connectionRow
	Choose      bool // the dialog in which a provider is chosen is open
	Providers   []providerChoice
	Error       string
	SSO         string // how people sign in
	Ends        string // a certificate that ends soon
}

// connectionRow is a connection in one line.
type connectionRow struct {
	models.Connection
	Since  moment
	Last   moment // its last request
	People int
	Groups int
	Health verdict
}

// providerChoice is one card of the dialog.
type providerChoice struct {
	Provider models.Provider
	guide
	On bool
}

func showSecurity(r *request) error { return r.security(http.StatusOK, false, "") }

// chooseProvider is the page with the dialog open.
func chooseProvider(r *request) error {
	if !r.workspace().Plan.DirectorySync() {
		return r.security(http.StatusForbidden, false, "")
	}
	return r.security(http.StatusOK, true, "")
}

func (r *request) security(status int, choose bool, fault string) error {
	all, err := r.d.Store.Connections(r.ctx, r.workspace().ID)
	if err != nil {
		return err
	}
	p := securityPage{Enterprise: r.workspace().Plan.DirectorySync(), Owner: r.member().Role == models.RoleOwner, Choose: choose, Error: fault}
	for _, c := range all {
		row, err := r.connectionRow(c)
		if err != nil {
			return err
		}
		p.Connections = append(p.Connections, row)
	}
	if p.SSO, p.Ends, err = r.ssoInShort(); err != nil {
		return err
	}
	for _, provider := range models.Providers {
		p.Providers = append(p.Providers, providerChoice{provider, guides[provider], provider == models.ProviderOkta})
	}
	return r.pageWith(status, "security", head{title: "Security", nav: "security"}, p)
}

func (r *request) connectionRow(c models.Connection) (connectionRow, error) {
	row := connectionRow{Connection: c, Since: r.at(c.CreatedAt)}
	size, err := r.d.Store.ConnectionSize(r.ctx, c.ID)
	if err != nil {
		return row, err
	}
	row.People, row.Groups = size.People, size.Groups
	health, err := r.d.Store.Health(r.ctx, c.ID)
	if err != nil {
		return row, err
	}
	row.Last = r.atPointer(health.LastAt)
	row.Health = r.judge(c, health, store.OpenWork{})
	return row, nil
}

// createConnection makes a connection for the chosen provider and shows its token, this once.
func createConnection(r *request) error {
	issued, err := r.d.Directory.CreateConnection(r.ctx, r.workspace(), models.Provider(r.PostFormValue("provider")), r.member().Name)
	if models.Is(err, models.Invalid) {
		return r.security(http.StatusUnprocessableEntity, true, "Choose one of the providers.")
	}
	if models.Is(err, models.Denied) {
		return r.security(http.StatusForbidden, false, "")
	}
	if err != nil {
		return err
	}
	return r.setup(http.StatusCreated, issued.Connection, issued.Token)
}

// setupPage is the dialog with the two values and the steps beside them.
type setupPage struct {
	securityPage
	Connection models.Connection
	BaseURL    string
	Token      string // in clear, in the answer that made it alone
	Shown      string // its beginning and end
	Guide      guide
	Steps      []pasteStep
	Check      check
	Mail       string // the steps as the text of a mail, without the token
}

// pasteStep is a step with its value.
type pasteStep struct {
	step
	ID, Value string
	Hidden    bool // the value is the token, which is not shown any more
}

func showSetup(r *request) error {
	c, err := r.connection()
	if err != nil {
		return err
	}
	return r.setup(http.StatusOK, c, "")
}

func (r *request) setup(status int, c models.Connection, token string) error {
	p := setupPage{Connection: c, BaseURL: r.baseURL(c.ID), Token: token, Guide: guides[c.Provider]}
	p.Enterprise, p.Owner = r.workspace().Plan.DirectorySync(), true
	row, err := r.connectionRow(c)
	if err != nil {
		return err
	}
	p.Connections = []connectionRow{row}
	tokens, err := r.d.Store.Tokens(r.ctx, c.ID)
	if err != nil {
		return err
	}
	if len(tokens) > 0 {
		p.Shown = shownToken(tokens[0])
	}
	for i, s := range p.Guide.Steps {
		ps := pasteStep{step: s, ID: "paste-" + num(i+1), Value: s.value(p.BaseURL, token)}
		ps.Hidden = s.Paste != "" && ps.Value == ""
		p.Steps = append(p.Steps, ps)
	}
	p.Mail = p.mail()
	if p.Check, err = r.check(c, tokens); err != nil {
		return err
	}
	return r.pageWith(status, "setup", head{title: "Connect " + c.Provider.Title(), nav: "connection"}, p)
}

// mail is the steps for a colleague. The token is never in it.
func (p setupPage) mail() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Please connect %s to Outpost. The token comes to you another way.\n\n", p.Connection.Provider.Title())
	for i, s := range p.Guide.Steps {
		fmt.Fprintf(&b, "%d.", i+1)
		if s.Path != "" {
			b.WriteString(" " + s.Path + ".")
		}
		if s.Do != "" {
			b.WriteString(" " + html.UnescapeString(tags.ReplaceAllString(string(s.Do), "")))
		}
		if s.Label != "" {
			b.WriteString(" " + s.Label + ": " + s.value(p.BaseURL, "(the token)"))
		}
		b.WriteString("\n")
	}
	return b.String()
}

var tags = regexp.MustCompile(`<[^>]*>`)

// baseURL is the SCIM base URL of a connection.
func (r *request) baseURL(id string) string { return r.d.PublicURL + "/scim/v2/" + id }

// shownToken is what of a token people may see: its beginning and its end.
func shownToken(t models.Token) string { return "outp_scim_" + t.ConnectionID[:4] + "…" + t.LastFour }

// check is what the provider's first request said about the values that were pasted.
type check struct {
	State   string // "wait", "good" or "bad"
	Heading string
	At      moment
	Text    string
	Move    string // what to do
	Test    string
	Title   string // the provider
}

// check reads how far the connection has got.
func (r *request) check(c models.Connection, tokens []models.Token) (check, error) {
	h, err := r.d.Store.Health(r.ctx, c.ID)
	if err != nil {
		return check{}, err
	}
	return r.judgeCheck(c, h, tokens), nil
}

// judgeCheck says it in words: the newest of what went well and what went wrong decides.
func (r *request) judgeCheck(c models.Connection, h models.ConnectionHealth, tokens []models.Token) check {
	title := c.Provider.Title()
	k := check{State: "wait", Heading: "Waiting for " + title + "’s first request", Test: guides[c.Provider].Test, Title: title}
	failed := h.ErrorAt != nil && (h.LastAt == nil || !h.LastAt.After(*h.ErrorAt) || h.FirstSuccessAt == nil)
	switch {
	case h.FirstSuccessAt != nil && !failed:
		k.State, k.Heading, k.At = "good", title+" is connected", r.atPointer(h.FirstSuccessAt)
		k.Text = "Its first request came through"
		k.Move = "Go on with the steps: switch on what " + title + " may do, then assign people or groups."
		return k
	case !failed:
		return k
	}
	k.State, k.At = "bad", r.atPointer(h.ErrorAt)
	switch h.ErrorKind {
	case models.TroubleToken:
		k.Heading = title + " called, with the wrong token"
		if h.ErrorDetail == "" {
			k.Heading, k.Text = title+" called, without a token", "it sent no token at all."
		} else {
			k.Text = "it sent a token that ends in …" + h.ErrorDetail + "."
		}
		if len(tokens) > 0 {
			k.Text += " Ours ends in …" + tokens[0].LastFour + "."
		}
		k.Move = "Copy the token again, replace all of the field, and test once more. Lost it? Make a new one on the connection’s page."
	case models.TroubleURL:
		k.Heading, k.Text = title+" called, at an address that is none", "it asked for "+h.ErrorDetail+"."
		k.Move = "Copy the base URL again and replace all of the field. Nothing comes after it."
	case models.TroublePlan:
		k.Heading, k.Text = title+" called, and the plan does not include Directory Sync", "the token is right."
		k.Move = "Upgrade the workspace to Enterprise, then test once more."
	case models.TroublePaused:
		k.Heading, k.Text = title+" called while the connection is paused", "the token is right."
		k.Move = "Resume the connection, then test once more."
	case models.TroubleOurs:
		k.Heading, k.Text = "We could not answer "+title, "the values are right, the fault is ours."
		k.Move = "Test once more in a minute. If it stays, tell your operator."
	default:
		k.Heading, k.Text = title+" called, and asked for something that does not work", h.ErrorDetail
		k.Move = "The token and the address are right. See the request under Activity."
	}
	return k
}

// connectionHealthEvery is how often a live page looks at a connection.
const connectionHealthEvery = 500 * time.Millisecond
