package dashboard

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"outpost/models"
)

// What happened, in the words of the pages: pure functions of audit entries, operations and mails.

// phrase is a sentence around a name, which pages make a link. One that names nobody has nothing but Before.
type phrase struct {
	Before, After string
	Nobody        bool
}

// about is a phrase that ends with a name.
func about(before string) phrase { return phrase{Before: before + " "} }

// bare is a phrase without a name.
func bare(text string) phrase { return phrase{Before: text, Nobody: true} }

// with is the phrase as plain text.
func (p phrase) with(name string) string {
	if p.Nobody {
		return p.Before
	}
	return p.Before + name + p.After
}

// byHTTP reports whether an entry is that of a provider's request.
func byHTTP(e models.AuditEntry) bool {
	return e.Method == strings.ToUpper(e.Method) || e.Method == "other"
}

// changesOf reads what an entry tells of its changes.
func changesOf(e models.AuditEntry) []models.Change {
	var changes []models.Change
	if e.Changes == nil || json.Unmarshal([]byte(*e.Changes), &changes) != nil {
		return nil
	}
	return changes
}

// entryPhrase says what was asked for. by is the provider of a request; deactivates says that the operation it caused
// ends access.
func entryPhrase(e models.AuditEntry, changes []models.Change, by string, deactivates bool) phrase {
	switch {
	case !byHTTP(e):
		return handPhrase(e, changes)
	case e.Status == 401 && e.Actor == "no token":
		return bare("Somebody called without a token")
	case e.Status == 401:
		return bare("Somebody used a wrong token")
	case e.Status >= 400:
		return refusedPhrase(e, by)
	case e.TargetType == models.ResourceGroup:
		return groupPhrase(e, changes, by)
	}
	switch e.Method {
	case "DELETE":
		return about(by + " deleted")
	}
	for _, c := range changes {
		if c.Attribute == "active" {
			if c.After == "true" {
				return phrase{Before: by + " brought ", After: " back"}
			}
			return about(by + " removed")
		}
	}
	switch {
	case e.Method == "POST":
		return about(by + " created")
	case deactivates:
		return about(by + " removed")
	}
	return about(by + " updated")
}

// refusedPhrase says what was asked for in vain.
func refusedPhrase(e models.AuditEntry, by string) phrase {
	switch e.TargetType {
	case models.ResourceUser, models.ResourceGroup:
	case models.ResourceAny:
		return bare(by + " asked for people and groups")
	default:
		return bare(by + " asked for /" + e.TargetType)
	}
	switch e.Method {
	case "GET", "HEAD", models.MethodSearch:
		if e.TargetID != "" {
			return about(by + " asked for")
		}
		if e.TargetType == models.ResourceGroup {
			return bare(by + " asked for groups")
		}
		return bare(by + " asked for people")
	case "POST":
		return about(by + " tried to create")
	case "DELETE":
		return about(by + " tried to delete")
	}
	return about(by + " tried to change")
}

// groupPhrase says what became of a group.
func groupPhrase(e models.AuditEntry, changes []models.Change, by string) phrase {
	switch e.Method {
	case "POST":
		return about(by + " created the group")
	case "DELETE":
		return about(by + " deleted the group")
	}
	for _, c := range changes {
		if c.Attribute != "members" || len(changes) > 1 {
			continue
		}
		switch {
		case len(c.Removed) == 0:
			return about(by + " added " + plural(len(c.Added)+c.More, "person", "people") + " to")
		case len(c.Added) == 0:
			return about(by + " removed " + plural(len(c.Removed)+c.More, "person", "people") + " from")
		}
	}
	if len(changes) == 1 && changes[0].Attribute == "displayName" {
		return about(by + " renamed " + changes[0].Before + " to")
	}
	return about(by + " changed")
}

// What people do about getting in and out themselves, as the audit calls it.
const (
	methodSignIn   = "signin"
	methodSignOut  = "signout"
	methodAccept   = "accept invitation"
	methodAskAgain = "ask for invitation"
)

// handWords are what people do themselves, by the method of the audit entry; %s is who did it, and @ whom or what it is
// about.
var handWords = map[string]string{
	methodSignIn:         "@ signed in",
	methodSignOut:        "@ signed out",
	"retry":              "%s tried again what had failed",
	"approve":            "%s allowed what was held for @",
	"discard":            "%s kept @ as they were",
	"role":               "%s changed the role of @",
	"deactivate":         "%s removed @",
	"bring back":         "%s brought @ back",
	"sign out":           "%s ended the sessions of @",
	"invite":             "%s invited @",
	"resend invitation":  "%s sent the invitation to @ again",
	"void invitation":    "%s withdrew the invitation of @",
	methodAccept:         "@ joined",
	methodAskAgain:       "@ asked for another invitation",
	"send invitations":   "%s sent the invitations that waited",
	"map":                "%s changed the role that @ gives",
	"settings":           "%s changed how people are invited",
	"create":             "%s made the connection",
	"rotate":             "%s made a new token for the connection",
	"end":                "%s ended a token of the connection",
	"end token":          "%s ended a token of the connection",
	"paused":             "%s paused the connection",
	"active":             "%s resumed the connection",
	"deleted":            "%s deleted the connection",
	"configure sso":      "%s gave the metadata for single sign-on",
	"add certificate":    "%s added a certificate for single sign-on",
	"remove certificate": "%s removed a certificate for single sign-on",
	"set sso options":    "%s changed how single sign-on works",
	"require sso":        "%s made everybody use single sign-on",
	"require no sso":     "%s let everybody use e-mail links again",
	"test sso":           "%s tested single sign-on",
	"disable sso":        "%s switched single sign-on off",
}

// handPhrase says what somebody did themselves.
func handPhrase(e models.AuditEntry, changes []models.Change) phrase {
	who := e.Actor
	if who == "cli" {
		who = "The command line"
	}
	words := handWords[e.Method]
	if e.Method == methodSignIn && e.Status >= 400 {
		words = "The sign-in of @ was refused"
		if e.TargetType != models.ResourceMember {
			words = "A single sign-on was refused"
		}
	}
	if e.Method == "retry" && e.OperationID != nil {
		words = "%s tried a failed job again"
	}
	if e.Method == "role" && len(changes) == 1 && changes[0].Attribute == "role" && changes[0].After != "" {
		words = "%s made @ " + article(changes[0].After)
	}
	if words == "" {
		words = "%s: " + e.Method
	}
	before, after, named := strings.Cut(strings.ReplaceAll(words, "%s", who), "@")
	return phrase{Before: before, After: after, Nobody: !named}
}

// article is a role with its article: "an admin".
func article(role string) string {
	if strings.ContainsAny(role[:1], "aeiou") {
		return "an " + role
	}
	return "a " + role
}

// operationPhrase says what an operation is for, where no entry tells.
func operationPhrase(op models.Operation, by string) phrase {
	settled := op.State == models.OperationDone
	failed := op.State == models.OperationFailed
	unsent := strings.HasPrefix(op.Error, "not sent:")
	switch op.Kind {
	case models.KindInvitationEmail:
		switch {
		case failed:
			return phrase{Before: "The invitation to ", After: " could not be mailed"}
		case unsent, op.State == models.OperationSuperseded:
			return phrase{Before: "The invitation to ", After: " was not mailed"}
		case settled:
			return phrase{Before: "The invitation to ", After: " was mailed"}
		}
		return phrase{Before: "The invitation to ", After: " is to be mailed"}
	case models.KindInvitationReminder:
		switch {
		case failed, unsent, op.State == models.OperationSuperseded:
			return phrase{Before: "The reminder to ", After: " was not mailed"}
		case settled:
			return about("A reminder of the invitation was mailed to")
		}
		return about("A reminder of the invitation is to be mailed to")
	case models.KindNoticeEmail:
		switch {
		case failed, unsent, op.State == models.OperationSuperseded:
			return phrase{Before: "The old address of ", After: " was not told of the new one"}
		case settled:
			return phrase{Before: "The old address of ", After: " was told of the new one"}
		}
		return phrase{Before: "The old address of ", After: " is to be told of the new one"}
	case models.KindOwnerEmail:
		switch {
		case failed, unsent, op.State == models.OperationSuperseded:
			return phrase{Before: "An owner was not told of the certificate that ends: "}
		case settled:
			return phrase{After: " was told of the certificate that ends"}
		}
		return phrase{After: " is to be told of the certificate that ends"}
	case models.KindSignInEmail:
		switch {
		case failed, unsent, op.State == models.OperationSuperseded:
			return about("No sign-in link was mailed to")
		case settled:
			return about("A sign-in link was mailed to")
		}
		return about("A sign-in link is to be mailed to")
	case models.KindMemberMirror:
		if settled {
			return phrase{Before: "", After: " was shown to " + by}
		}
		return phrase{Before: "", After: " is to be shown to " + by}
	case models.KindGroupSync:
		if settled {
			return phrase{Before: "The team ", After: " was brought up to date"}
		}
		return phrase{Before: "The team ", After: " is to be brought up to date"}
	case models.KindUserDeactivate:
		if settled {
			return phrase{Before: "", After: " lost access"}
		}
		return phrase{Before: "", After: " is to lose access"}
	case models.KindUserUpsert:
		if settled {
			return phrase{Before: "", After: " was brought up to date"}
		}
		return phrase{Before: "", After: " is to be brought up to date"}
	}
	return about(string(op.Kind) + " for")
}

// outcome says what became of something, in a few words under the sentence. op is nil where there was nothing to do.
func outcome(e *models.AuditEntry, changes []models.Change, op *models.Operation, m *models.Mail) string {
	if e != nil && e.Status >= 400 {
		if e.Status == 401 {
			return "Refused, nothing was shown"
		}
		return sentence("refused: " + withOrigin(*e))
	}
	if op == nil {
		return handOutcome(e, changes)
	}
	switch op.State {
	case models.OperationPending:
		if op.Attempts > 0 {
			return "Tried " + plural(op.Attempts, "time", "times") + " in vain, tried again: " + serverSaid(op.Error)
		}
		return "1 job waits"
	case models.OperationRunning:
		return "Under way"
	case models.OperationHeld:
		heading := reasonOf(op.Error).Heading
		return "Waits for an owner: " + strings.ToLower(heading[:1]) + heading[1:]
	case models.OperationFailed:
		return serverSaid(op.Error)
	case models.OperationSuperseded:
		if op.Error != "" {
			return sentence(op.Error)
		}
		return "A newer change took its place"
	}
	switch {
	case op.Error != "":
		return sentence(op.Error)
	case m != nil && m.State == models.MailSent:
		return "Taken by the mail server"
	case e != nil && !byHTTP(*e):
		return handOutcome(e, changes)
	case e != nil && op.Kind == models.KindUserDeactivate && e.TookMicros != nil:
		return "Access ended after " + dur(time.Duration(*e.TookMicros)*time.Microsecond)
	}
	if said := changed(changes); said != "" && op.Kind != models.KindUserDeactivate && e.Method != "POST" {
		return said
	}
	if op.FinishedAt != nil {
		return "Applied after " + dur(op.FinishedAt.Sub(op.CreatedAt))
	}
	return ""
}

// handOutcome is what an entry itself tells of its effect.
func handOutcome(e *models.AuditEntry, changes []models.Change) string {
	switch {
	case e == nil:
		return ""
	case e.Detail == "no change":
		return "Nothing changed"
	case e.Detail != "" && !byHTTP(*e):
		return sentence(strings.TrimPrefix(withOrigin(*e), "held: "))
	}
	return changed(changes)
}

// changed says in a few words which attributes a request changed.
func changed(changes []models.Change) string {
	if len(changes) == 1 {
		c := changes[0]
		if len(c.Added)+len(c.Removed) > 0 {
			var parts []string
			if n := len(c.Added); n > 0 {
				parts = append(parts, num(n)+" added")
			}
			if n := len(c.Removed); n > 0 {
				parts = append(parts, num(n)+" removed")
			}
			if c.More > 0 {
				parts = append(parts, num(c.More)+" more")
			}
			said := strings.Join(parts, ", ")
			if c.Attribute != "members" {
				said = capital(c.Attribute) + ": " + said
			}
			return said
		}
		return capital(c.Attribute) + " changed"
	}
	switch {
	case len(changes) == 0:
		return ""
	case len(changes) <= 3:
		names := make([]string, len(changes))
		for i, c := range changes {
			names[i] = c.Attribute
		}
		return capital(words(names)) + " changed"
	}
	return plural(len(changes), "attribute", "attributes") + " changed"
}

// jobWords say what a job is, in a list of the jobs of one request.
func jobWords(op models.Operation) string {
	words := map[models.Kind][2]string{
		models.KindUserUpsert: {"Bring the person up to date", "Person brought up to date"}, models.KindUserDeactivate: {"End access and tidy up", "Access ended and tidied up"},
		models.KindGroupSync: {"Bring the team up to date", "Team brought up to date"}, models.KindInvitationEmail: {"Mail the invitation", "Invitation mailed"},
		models.KindInvitationReminder: {"Remind of the invitation", "Reminder mailed"},
		models.KindNoticeEmail:        {"Tell the old address", "Old address told"}, models.KindOwnerEmail: {"Tell an owner of a certificate", "Owner told"}, models.KindSignInEmail: {"Mail the sign-in link", "Sign-in link mailed"},
		models.KindMemberMirror: {"Show the member to the provider", "Member shown to the provider"},
	}[op.Kind]
	switch {
	case words[0] == "":
		return string(op.Kind)
	case op.State == models.OperationDone && !strings.HasPrefix(op.Error, "not sent:"):
		return words[1]
	}
	return words[0]
}

// tries is "1st try", "3rd try": which one ended the operation.
func tries(op models.Operation) string {
	n := op.Attempts
	if op.State == models.OperationDone || op.State == models.OperationRunning {
		n++
	}
	if n == 0 {
		return "not tried"
	}
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix + " try"
}

// stand is the state of something that happened, as its badge shows it.
func stand(e *models.AuditEntry, op *models.Operation) (class, word string) {
	switch {
	case e != nil && e.Status >= 400:
		return "refused", "Refused"
	case op == nil:
		return "done", "Done"
	}
	return string(op.State), stateWords[op.State]
}

// took is how long a request took until it was written, "" where that was not measured.
func took(e *models.AuditEntry) string {
	if e == nil || e.TookMicros == nil {
		return ""
	}
	return dur(time.Duration(*e.TookMicros) * time.Microsecond)
}

// unnamed is what the target of an entry is called that has no name: by the request that was refused, or by its type.
func unnamed(e *models.AuditEntry) string {
	if e != nil && e.Request != nil {
		var sent struct{ UserName, DisplayName string }
		if json.Unmarshal([]byte(*e.Request), &sent) == nil {
			for _, name := range []string{sent.DisplayName, sent.UserName} {
				if name = strings.TrimSpace(name); name != "" {
					return fmt.Sprintf("%.100s", name)
				}
			}
		}
	}
	switch {
	case e != nil && e.TargetType == models.ResourceGroup:
		return "a group"
	case e != nil && e.TargetType != models.ResourceUser && e.TargetType != models.ResourceMember:
		return "the connection"
	}
	return "somebody"
}
