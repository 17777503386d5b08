package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"outpost/directory"
	"outpost/models"
	"outpost/store"
	"outpost/workspace"
)

// maxHeld is how many held operations the page looks at, those that wait longest.
const maxHeld = 2000

// heldReason is why operations are held, with the words for deciding about them.
type heldReason struct {
	Key            string // in URLs
	Heading        string
	One, Many      string // what there is of it
	Text           string
	Approve        choice
	Discard        choice
	Removes        bool // approving ends somebody's access
	MakeOwnerFirst bool
}

// choice is one of the two decisions, in the words of its buttons.
type choice struct {
	One, Chosen, All string // of All, %s is the number
	Done             string // after the number of people
	Means            string
}

var (
	remove = choice{"Remove", "Remove chosen", "Remove all %s", "lost access", "Their access ends at once."}
	keep   = choice{"Keep", "Keep chosen", "Keep all %s", "kept their access", "They keep their access until {provider} changes them again."}
	allow  = choice{"Allow the new address", "Allow for chosen", "Allow all %s new addresses", "got the new address", "The new address counts from now on. Sessions and open invitations at the old one end."}
	stay   = choice{"Keep the old one", "Keep the old for chosen", "Keep all %s old addresses", "kept the old address", "The old address stays until {provider} changes them again."}
)

// The reasons there are.
var (
	lastOwner = heldReason{
		Key: "last-owner", Heading: "The last owner", One: "removal", Many: "removals", Approve: remove, Discard: keep, Removes: true, MakeOwnerFirst: true,
		Text: "{provider} removed the only active owner. A workspace always keeps one, so they stay. Make somebody else an owner first, then remove them here.",
	}
	ownersAddress = heldReason{
		Key: "owner-address", Heading: "An owner’s address", One: "change", Many: "changes", Approve: allow, Discard: stay,
		Text: "{provider} changes the e-mail address of an owner. Whoever reads that mailbox can sign in as them, so an owner who was signed in before has to allow it.",
	}
	firstContact = heldReason{
		Key: "first-contact", Heading: "A first contact with another address", One: "person", Many: "people", Approve: allow, Discard: stay,
		Text: "{provider} sent these people for the first time, with another address than that of the member they were found to be. Is it the same person?",
	}
	brake = heldReason{
		Key: "brake", Heading: "The brake", One: "removal", Many: "removals", Approve: remove, Discard: keep, Removes: true,
		Text: "{provider} asked for more removals than usual. Is it a real departure, or a group unassigned by mistake?",
	}
)

// reasonOf tells why an operation is held, by the sentence on it.
func reasonOf(why string) heldReason {
	switch {
	case why == workspace.HeldLastOwner:
		return lastOwner
	case strings.HasPrefix(why, "held: the directory changes the e-mail address of an owner"):
		return ownersAddress
	case strings.HasPrefix(why, "held: the first contact with"):
		return firstContact
	}
	if strings.HasPrefix(why, "held: the brake") {
		return brake
	}
	return heldReason{
		Key: "rule", Heading: "Stopped by a rule", One: "change", Many: "changes", Text: sentence(strings.TrimPrefix(why, "held: ")),
		Approve: choice{"Approve", "Approve chosen", "Approve all %s", "changed", "It happens at once."},
		Discard: choice{"Discard", "Discard chosen", "Discard all %s", "stayed as they were", "They stay as they are until {provider} changes them again."},
	}
}

// heldPage is what waits for a decision.
type heldPage struct {
	Groups  []heldGroup
	More    int  // that the page does not look at
	Decides bool // the visitor may decide
	Confirm *confirmation
}

// heldGroup is what waits for one reason.
type heldGroup struct {
	heldReason
	By     string // the provider
	Count  int
	Oldest string // how long the first has waited
	Rows   []heldLine
	Pager  pager
	Faults []string // why a decision was not carried out
	found  []store.HeldRow
}

// heldLine is one held operation.
type heldLine struct {
	ID      string
	Who     person
	Role    models.Role // "" where they are no member yet
	Address string
	Asked   string
	NewAddr string // the address that is asked for, "" where none is
	Waits   string
}

// confirmation asks whether a decision about a whole group is meant.
type confirmation struct {
	heldGroup
	Decision string // "approve" or "discard"
	Choice   choice
	Until    string // the newest operation that the number counts
}

func showHeld(r *request) error { return r.held(http.StatusOK, nil) }

// held shows the page; faults are what could not be decided, by group.
func (r *request) held(status int, faults map[string][]string) error {
	groups, err := r.heldGroups()
	if err != nil {
		return err
	}
	p := heldPage{Decides: r.member().Role == models.RoleOwner}
	figures, err := r.d.Store.HeldFigures(r.ctx, r.workspace().ID)
	if err != nil {
		return err
	}
	only, offset := r.URL.Query().Get("group"), r.offset()
	p.More = figures.Count
	for _, g := range groups {
		p.More -= g.Count
		from := 0
		if g.Key == only {
			from = min(offset, g.Count)
		}
		shown := g.found[from:min(from+pageSize, g.Count)]
		for _, row := range shown {
			g.Rows = append(g.Rows, r.heldLine(row))
		}
		g.Pager = pager{From: from + 1, To: from + len(shown), Total: g.Count, Noun: g.Many}
		if from > 0 {
			g.Pager.Prev = heldPath(g.Key, from/pageSize)
		}
		if from+len(shown) < g.Count {
			g.Pager.Next = heldPath(g.Key, from/pageSize+2)
		}
		g.Faults = faults[g.Key]
		delete(faults, g.Key)
		if p.Decides && g.Key == only {
			p.Confirm = g.confirm(r.URL.Query().Get("confirm"))
		}
		p.Groups = append(p.Groups, g)
	}
	p.More = max(p.More, 0)
	for key, left := range faults { // what they were about waits no more
		reason := heldReason{Key: key, Heading: "Decided already"}
		p.Groups = append(p.Groups, heldGroup{heldReason: reason, Faults: left})
	}
	return r.pageWith(status, "held", head{title: "Held", nav: "held"}, p)
}

// WithNumber is what the button for a whole group says.
func (c choice) WithNumber(n int) string { return fmt.Sprintf(c.All, num(n)) }

// confirm is the question before a decision about the whole group, nil where none is asked for.
func (g heldGroup) confirm(decision string) *confirmation {
	c := &confirmation{heldGroup: g, Decision: decision, Until: g.found[g.Count-1].ID}
	switch decision {
	case "approve":
		c.Choice = g.Approve
	case "discard":
		c.Choice = g.Discard
	default:
		return nil
	}
	return c
}

func heldPath(group string, page int) string {
	return "/activity/held?group=" + group + "&page=" + strconv.Itoa(page)
}

// heldGroups are the operations that wait for a decision, by reason.
func (r *request) heldGroups() ([]heldGroup, error) {
	rows, err := r.d.Store.HeldRows(r.ctx, r.workspace().ID, maxHeld)
	if err != nil {
		return nil, err
	}
	var groups []heldGroup
	for _, row := range rows {
		reason := reasonOf(row.Error)
		reason.Key += "-" + string(row.Provider)
		i := slices.IndexFunc(groups, func(g heldGroup) bool { return g.Key == reason.Key })
		if i < 0 {
			i = len(groups)
			by := row.Provider.Title()
			for _, text := range []*string{&reason.Text, &reason.Approve.Means, &reason.Discard.Means} {
				*text = strings.ReplaceAll(*text, "{provider}", by)
			}
			groups = append(groups, heldGroup{heldReason: reason, By: by, Oldest: r.waited(row.CreatedAt)})
		}
		groups[i].Count++
		groups[i].found = append(groups[i].found, row)
	}
	return groups, nil
}

func (r *request) heldLine(row store.HeldRow) heldLine {
	name := row.MemberName
	if name == "" {
		name = row.Name
	}
	line := heldLine{
		ID: row.ID, Who: personOf(store.Named{ID: row.UserID, Name: name, Email: row.Email, MemberID: row.MemberID}), Role: row.Role, Address: row.MemberEmail,
		Waits: r.waited(row.CreatedAt),
	}
	by := row.Provider.Title()
	switch {
	case row.Removed:
		line.Asked = "Deleted in " + by
	case !row.Active:
		line.Asked = "Set inactive in " + by
	case row.Email == "":
		line.Asked = "No address any more"
	default:
		line.Asked, line.NewAddr = "New address", row.Email
	}
	return line
}

// decideHeld approves or discards: the one operation that the query names, those that are chosen, or all of a group up to
// the one that the number in the question counted last.
func decideHeld(r *request) error {
	groups, err := r.heldGroups()
	if err != nil {
		return err
	}
	decision := r.PostFormValue("decision")
	if decision != "approve" && decision != "discard" {
		return &models.Error{Code: models.Invalid, Detail: "choose what shall become of it"}
	}
	ids := r.PostForm["op"]
	group, until := r.PostFormValue("group"), r.PostFormValue("until")
	if only := r.URL.Query().Get("only"); only != "" {
		ids = []string{only}
	} else if until != "" {
		ids = nil
		for _, g := range groups {
			for _, row := range g.found {
				if g.Key == group && row.ID <= until {
					ids = append(ids, row.ID)
				}
			}
		}
	}
	if len(ids) == 0 {
		return r.held(http.StatusUnprocessableEntity, map[string][]string{group: {"Nothing was chosen."}})
	}
	if len(ids) > maxHeld {
		return &models.Error{Code: models.Invalid, Detail: "choose at most 2,000 at once"}
	}
	reasons, names := map[string]heldReason{}, map[string]string{}
	for _, g := range groups {
		for _, row := range g.found {
			reasons[row.ID], names[row.ID] = g.heldReason, row.Name
		}
	}
	decide := r.d.Directory.Discard
	if decision == "approve" {
		decide = r.d.Directory.Approve
	}
	caller := r.caller(decision)
	decisions, err := decide(r.ctx, caller, ids, directory.Decider{Actor: caller.Actor, Role: r.member().Role, SignedInAt: r.visit.Session.CreatedAt})
	if err != nil {
		return err
	}
	done, faults := 0, map[string][]string{}
	for _, d := range decisions {
		if d.Err == nil {
			done++
			continue
		}
		fault := "This could not be decided."
		var known *models.Error
		if errors.As(d.Err, &known) {
			fault = sentence(known.Detail)
		}
		if name := names[d.OperationID]; name != "" && !strings.HasPrefix(fault, name) {
			fault = name + ": " + fault
		}
		key := group
		if reason, ok := reasons[d.OperationID]; ok {
			key = reason.Key
		}
		faults[key] = append(faults[key], fault)
	}
	if len(faults) > 0 {
		return r.held(http.StatusConflict, faults)
	}
	what := reasons[ids[0]].Discard
	if decision == "approve" {
		what = reasons[ids[0]].Approve
	}
	return r.seeOther("/activity/held", plural(done, "person", "people")+" "+what.Done+".")
}
