package dashboard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
	"time"

	"outpost/directory"
	"outpost/models"
	"outpost/store"
)

// auditedPage is one request, or one act by hand: what was sent, what it changed, and what it caused.
type auditedPage struct {
	Title   string
	Who     person
	At      moment
	Entry   models.AuditEntry
	By      string // the provider, or who did it
	HTTP    bool
	Took    string
	Note    string // the answer's sentence, or what else was written down
	Verdict auditedVerdict
	Path    string        // that was asked for, within the SCIM base URL
	Sent    template.HTML // the body, "" for none
	Changes []models.Change
	Whole   string // what it changed, where no attribute is told
	Jobs    []auditedJob
}

// auditedVerdict is what became of it, in a sentence.
type auditedVerdict struct{ Class, Icon, Text, More string }

// auditedJob is an operation that was caused.
type auditedJob struct {
	models.Operation
	State template.HTML
	Words string
	Took  string
	Tries string
	Note  string
}

func showRequest(r *request) error {
	id := r.PathValue("id")
	if !directory.IsID(id) {
		return errNothing
	}
	e, err := r.d.Store.Entry(r.ctx, r.workspace().ID, id)
	if err != nil {
		return err
	}
	ops, err := r.d.Store.CausedBy(r.ctx, e)
	if err != nil {
		return err
	}
	row := store.ActivityRow{ID: e.ID, Entry: &e}
	for i := range ops {
		if e.OperationID != nil && ops[i].ID == *e.OperationID {
			row.Operation = &ops[i]
		}
	}
	rows, err := r.activityRows([]store.ActivityRow{row})
	if err != nil {
		return err
	}
	p := auditedPage{
		Title: rows[0].Phrase.with(rows[0].Who.Name), Who: rows[0].Who, At: rows[0].At, Entry: e, HTTP: byHTTP(e), Took: took(&e), By: e.Actor, Changes: changesOf(e),
		Note: sentence(strings.TrimPrefix(e.Detail, "held: ")), Verdict: verdictOf(e, row.Operation, rows[0].Outcome),
	}
	if p.HTTP {
		providers, err := r.d.Store.Providers(r.ctx, r.workspace().ID)
		if err != nil {
			return err
		}
		if e.ConnectionID != nil {
			p.By = providers[*e.ConnectionID].Title()
		}
		p.Path = scimPath(e)
	}
	switch {
	case e.Status >= 400, e.Detail == "no change":
		p.Whole = "Nothing."
	case e.Method == "POST" && p.HTTP:
		p.Whole = "All that was sent is new."
	case e.Method == "DELETE":
		p.Whole = "The whole of it was deleted."
	default:
		p.Whole = "No attribute."
	}
	if e.Request != nil {
		p.Sent = pretty(*e.Request)
	}
	for _, op := range ops {
		job := auditedJob{Operation: op, State: badge(op.State), Words: jobWords(op), Tries: tries(op)}
		if op.FinishedAt != nil {
			job.Took = dur(op.FinishedAt.Sub(op.CreatedAt))
		}
		if op.Error != "" {
			job.Note = sentence(strings.TrimPrefix(op.Error, "held: "))
		}
		p.Jobs = append(p.Jobs, job)
	}
	return r.page("audited", head{title: p.Title, nav: "activity"}, p)
}

// scimPath is what a request asked for, without the base URL.
func scimPath(e models.AuditEntry) string {
	path := "/" + e.TargetType
	switch e.TargetType {
	case models.ResourceUser, models.ResourceGroup:
		path += "s"
	case models.ResourceAny:
		path = "/"
	}
	if e.TargetID != "" && e.Method != "POST" {
		path += "/" + e.TargetID
	}
	return path
}

// verdictOf says what became of a request.
func verdictOf(e models.AuditEntry, op *models.Operation, outcome string) auditedVerdict {
	v := auditedVerdict{Class: "good", Icon: "ok", More: outcome}
	switch {
	case e.Status >= 400:
		v.Class, v.Icon, v.Text, v.More = "bad", "alert", "Refused. Nothing was changed.", sentence(e.Detail)
		if e.Method == methodSignIn {
			v.Text = "Refused. Nobody was signed in."
		}
	case op == nil && e.Detail == "no change":
		v.Text, v.More = "Accepted. Everything was as it asks already, so there was nothing to do.", ""
	case op == nil:
		v.Text = "Done."
	case op.State == models.OperationPending, op.State == models.OperationRunning:
		v.Class, v.Icon, v.Text = "busy", "runs", "Accepted. The job is under way."
	case op.State == models.OperationHeld:
		v.Class, v.Icon, v.Text, v.More = "warn", "pause", "Accepted, and held: an owner decides.", sentence(strings.TrimPrefix(op.Error, "held: "))
	case op.State == models.OperationFailed:
		v.Class, v.Icon, v.Text, v.More = "bad", "alert", "Accepted, but the job failed.", sentence(op.Error)
	case op.State == models.OperationSuperseded:
		v.Text = "Accepted. It was not needed any more when its turn came."
	default:
		v.Text = "Accepted and done."
		if op.FinishedAt != nil {
			v.More = fmt.Sprintf("The change was applied %s after it came.", dur(max(op.FinishedAt.Sub(e.At), time.Millisecond)))
		}
		if op.Error != "" {
			v.More = sentence(op.Error)
		}
	}
	return v
}

// maxNesting is how deep a body may be nested to be set out in lines.
const maxNesting = 32

// pretty sets JSON out in lines and marks its names, texts and literals; what hides a password says so. What is not JSON,
// or was cut, is shown as it is.
func pretty(body string) template.HTML {
	var set bytes.Buffer
	if nesting(body) > maxNesting || json.Indent(&set, []byte(body), "", "  ") != nil {
		return template.HTML(template.HTMLEscapeString(body))
	}
	text := set.String()
	var out strings.Builder
	span := func(class, text string) {
		out.WriteString(`<span class="` + class + `">` + template.HTMLEscapeString(text) + `</span>`)
	}
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			end := i + 1
			for ; text[end] != '"'; end++ {
				if text[end] == '\\' {
					end++
				}
			}
			end++
			value := text[i:end]
			switch {
			case strings.HasPrefix(text[end:], ":"):
				span("k", value)
			case value == `"***"`:
				span("mask", "hidden, not stored")
			default:
				span("str", value)
			}
			i = end
		case strings.IndexByte("{}[],: \n", c) >= 0:
			out.WriteByte(c)
			i++
		default:
			end := i + strings.IndexAny(text[i:]+",", ",]} \n")
			span("lit", text[i:end])
			i = end
		}
	}
	return template.HTML(out.String())
}

// nesting is how deep a text of JSON is nested, at most.
func nesting(text string) int {
	depth, most, inside := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '{' || c == '[':
			depth++
			most = max(most, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return most
}
