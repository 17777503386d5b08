package dashboard

import (
	"strings"
	"testing"
	"time"

	"outpost/models"
)

func entry(method, target string, status int, detail string) models.AuditEntry {
	return models.AuditEntry{Method: method, TargetType: target, TargetID: "x", Status: status, Detail: detail, Actor: "Ines Calloway"}
}

func TestWhatWasAskedForIsSaidInPlainSentences(t *testing.T) {
	t.Parallel()
	op := "0199c3f0-0000-7000-8000-000000000001"
	wrong, none, one := entry("GET", "User", 401, ""), entry("GET", "User", 401, ""), entry("retry", "Workspace", 200, "")
	wrong.Actor, none.Actor, one.OperationID = "unknown token …a1b2", "no token", &op
	people := entry("GET", "User", 400, "")
	searched := entry("SEARCH", "User", 400, "")
	people.TargetID, searched.TargetID = "", ""
	for _, test := range []struct {
		e           models.AuditEntry
		changes     []models.Change
		deactivates bool
		want        string
	}{
		{e: entry("POST", "User", 201, ""), want: "Okta created Ada"},
		{e: entry("PUT", "User", 200, ""), want: "Okta updated Ada"},
		{e: entry("DELETE", "User", 204, ""), deactivates: true, want: "Okta deleted Ada"},
		{e: entry("PATCH", "User", 200, ""), changes: []models.Change{{Attribute: "active", Before: "true", After: "false"}}, deactivates: true, want: "Okta removed Ada"},
		{e: entry("PATCH", "User", 200, ""), changes: []models.Change{{Attribute: "active", Before: "false", After: "true"}}, want: "Okta brought Ada back"},
		{e: entry("PATCH", "User", 200, ""), deactivates: true, want: "Okta removed Ada"},
		{e: entry("POST", "Group", 201, ""), want: "Okta created the group Ada"},
		{e: entry("PATCH", "Group", 200, ""), changes: []models.Change{{Attribute: "members", Added: make([]string, 12), More: 2}}, want: "Okta added 14 people to Ada"},
		{e: entry("PATCH", "Group", 200, ""), changes: []models.Change{{Attribute: "members", Removed: []string{"Ben"}}}, want: "Okta removed 1 person from Ada"},
		{e: entry("PATCH", "Group", 200, ""), changes: []models.Change{{Attribute: "members", Added: []string{"Cy"}, Removed: []string{"Ben"}}}, want: "Okta changed Ada"},
		{e: entry("PATCH", "Group", 200, ""), changes: []models.Change{{Attribute: "displayName", Before: "Eng", After: "Ada"}}, want: "Okta renamed Eng to Ada"},
		{e: entry("DELETE", "Group", 204, ""), want: "Okta deleted the group Ada"},
		{e: wrong, want: "Somebody used a wrong token"},
		{e: none, want: "Somebody called without a token"},
		{e: people, want: "Okta asked for people"},
		{e: entry("POST", "User", 409, ""), want: "Okta tried to create Ada"},
		{e: entry("POST", "User", 201, ""), changes: []models.Change{{Attribute: "active", Before: "false", After: "true"}}, want: "Okta brought Ada back"},
		{e: entry("POST", "Bulk", 400, ""), want: "Okta asked for /Bulk"},
		{e: searched, want: "Okta asked for people"},
		{e: entry("SEARCH", "Resource", 400, ""), want: "Okta asked for people and groups"},
		{e: entry("signin", "Member", 200, ""), want: "Ada signed in"},
		{e: entry("resend invitation", "Member", 200, ""), want: "Ines Calloway sent the invitation to Ada again"},
		{e: entry("role", "Member", 200, ""), changes: []models.Change{{Attribute: "role", Before: "member", After: "admin"}}, want: "Ines Calloway made Ada an admin"},
		{e: entry("approve", "User", 200, ""), want: "Ines Calloway allowed what was held for Ada"},
		{e: entry("retry", "Workspace", 200, ""), want: "Ines Calloway tried again what had failed"},
		{e: one, want: "Ines Calloway tried a failed job again"},
		{e: entry("rotate", "Connection", 200, ""), want: "Ines Calloway made a new token for the connection"},
		{e: entry("polish", "Connection", 200, ""), want: "Ines Calloway: polish"},
	} {
		if got := entryPhrase(test.e, test.changes, "Okta", test.deactivates).with("Ada"); got != test.want {
			t.Errorf("%s %s %d: %q, want %q", test.e.Method, test.e.TargetType, test.e.Status, got, test.want)
		}
	}
}

func TestWhatBecameOfItIsSaidInAFewWords(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 14, 0, 0, 0, time.UTC)
	end := now.Add(31 * time.Millisecond)
	micros := int64(41_000)
	left := entry("PATCH", "User", 200, "")
	left.TookMicros = &micros
	put, post, hand := entry("PUT", "User", 200, ""), entry("POST", "User", 201, ""), entry("approve", "User", 200, "held: this would leave nobody")
	same, refused := entry("PUT", "User", 200, "no change"), entry("POST", "User", 409, "userName is taken")
	op := func(kind models.Kind, state models.OperationState, note string, attempts int) *models.Operation {
		o := models.Operation{Kind: kind, State: state, Error: note, Attempts: attempts, CreatedAt: now}
		if state == models.OperationDone {
			o.FinishedAt = &end
		}
		return &o
	}
	for _, test := range []struct {
		e       *models.AuditEntry
		changes []models.Change
		op      *models.Operation
		m       *models.Mail
		want    string
	}{
		{e: &post, op: op(models.KindUserUpsert, models.OperationDone, "", 0), want: "Applied after 31 ms"},
		{e: &put, changes: []models.Change{{Attribute: "title"}}, op: op(models.KindUserUpsert, models.OperationDone, "", 0), want: "Title changed"},
		{e: &put, changes: []models.Change{{Attribute: "members", Added: make([]string, 3), Removed: make([]string, 1)}}, op: op(models.KindGroupSync, models.OperationDone, "", 0), want: "3 added, 1 removed"},
		{e: &left, op: op(models.KindUserDeactivate, models.OperationDone, "", 0), want: "Access ended after 41 ms"},
		{e: &put, op: op(models.KindUserUpsert, models.OperationPending, "", 0), want: "1 job waits"},
		{e: &put, op: op(models.KindUserUpsert, models.OperationPending, "the database is not available", 2), want: "Tried 2 times in vain, tried again: The database is not available."},
		{e: &put, op: op(models.KindUserUpsert, models.OperationSuperseded, "", 0), want: "A newer change took its place"},
		{e: &put, op: op(models.KindUserDeactivate, models.OperationHeld, "held: this would leave the workspace without an active owner; make somebody else an owner, then approve it, or discard it", 0), want: "Waits for an owner: the last owner"},
		{op: op(models.KindInvitationEmail, models.OperationFailed, "the mail server m refused a@b.test: 550 5.1.1 no such mailbox", 1), want: "550 5.1.1 no such mailbox"},
		{op: op(models.KindInvitationEmail, models.OperationDone, "", 0), m: &models.Mail{State: models.MailSent}, want: "Taken by the mail server"},
		{op: op(models.KindInvitationEmail, models.OperationDone, "not sent: the person had joined already when it was due", 0), want: "Not sent: the person had joined already when it was due."},
		{e: &same, want: "Nothing changed"},
		{e: &refused, want: "Refused: userName is taken."},
		{e: &hand, op: op(models.KindUserDeactivate, models.OperationDone, "", 0), want: "This would leave nobody."},
	} {
		if got := outcome(test.e, test.changes, test.op, test.m); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

func TestEveryKindOfJobHasWords(t *testing.T) {
	t.Parallel()
	for _, kind := range []models.Kind{models.KindUserUpsert, models.KindUserDeactivate, models.KindGroupSync, models.KindInvitationEmail, models.KindInvitationReminder, models.KindNoticeEmail, models.KindMemberMirror, models.KindSignInEmail} {
		for _, state := range []models.OperationState{models.OperationPending, models.OperationRunning, models.OperationDone, models.OperationSuperseded, models.OperationHeld, models.OperationFailed} {
			op := models.Operation{Kind: kind, State: state}
			if text := operationPhrase(op, "Okta").with("Ada") + jobWords(op); strings.Contains(text, string(kind)) || !strings.Contains(text, "Ada") {
				t.Errorf("%s %s: %s", kind, state, text)
			}
		}
	}
	if got := operationPhrase(models.Operation{Kind: models.KindInvitationEmail, State: models.OperationDone, Error: "not sent: late"}, "Okta").with("Ada"); got != "The invitation to Ada was not mailed" {
		t.Error(got)
	}
	for n, want := range map[int]string{0: "1st try", 1: "2nd try", 2: "3rd try", 3: "4th try", 10: "11th try", 21: "22nd try"} {
		if got := tries(models.Operation{State: models.OperationDone, Attempts: n}); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestABodyIsSetOutMarkedAndEscaped(t *testing.T) {
	t.Parallel()
	got := string(pretty(`{"a":"x\"<b>","password":"***","n":-1.5e3,"list":[true,null,{}],"e":""}`))
	for _, part := range []string{
		`<span class="k">&#34;a&#34;</span>: <span class="str">&#34;x\&#34;&lt;b&gt;&#34;</span>`, `<span class="mask">hidden, not stored</span>`,
		`<span class="lit">-1.5e3</span>`, `<span class="lit">true</span>`, `<span class="lit">null</span>`, "\n  ",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("%s lacks %s", got, part)
		}
	}
	for _, odd := range []string{`{"cut":"of <b> …`, `5 6`, strings.Repeat("[", 9000) + strings.Repeat("]", 9000), "<script>", `"\`} {
		if got := string(pretty(odd)); strings.Contains(got, "<b") || strings.Contains(got, "<script") || len(got) > 20000 || strings.Contains(got, "<span") {
			t.Errorf("%.80s: %.200s", odd, got)
		}
	}
	if got := string(pretty(`7`)); got != `<span class="lit">7</span>` {
		t.Error(got)
	}
}

func TestCellsOfAnExportAreNoFormulas(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\tx": "'\tx", "\rx": "'\rx", "Ada": "Ada", "": "", "a=b": "a=b"} {
		if got := cell(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
