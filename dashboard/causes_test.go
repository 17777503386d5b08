package dashboard

import (
	"strings"
	"testing"

	"outpost/models"
	"outpost/store"
)

func TestEverySentenceThatEndsAnOperationHasItsCause(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"the mail server mail.acme.test refused ada@acme.test: 550 5.1.1 no such mailbox":                                                                "mailbox",
		"the mail server mail.acme.test refused the mail for ada@acme.test: 554 5.7.1 looks like spam":                                                   "content",
		"the mail server mail.acme.test refused our sender address: 553 5.1.8 unknown":                                                                   "sender",
		"the mail server mail.acme.test refused our sign-in: 535 5.7.8 wrong password":                                                                   "sender",
		"the mail server mail.acme.test offers no way to sign in that we know; remove user and password from the mail server's URL if it needs none":     "sender",
		"the mail server mail.acme.test shows a certificate that cannot be verified for that name":                                                       "server",
		"the mail server mail.acme.test does not offer STARTTLS; if the line to it is safe, set tls=none in the mail server's URL":                       "server",
		"the mail server mail.acme.test does not accept connections on port 25":                                                                          "away",
		"the mail server mail.acme.test did not answer in time":                                                                                          "away",
		"the mail server mail.acme.test closed the connection before it took the mail":                                                                   "away",
		"sending through mail server mail.acme.test was broken off":                                                                                      "away",
		"delivery unknown: the worker stopped after the mail was handed over and before the mail server's answer was written down; retry sends it again": "unknown",
		`"ada" is not an address mail can be sent to: it has no @`:                                                                                       "address",
		"the subject contains a control character":                                                                                                       "wording",
		`the e-mail address a@acme.test already belongs to the member "Ben" of this workspace: change it`:                                                "taken",
		`the e-mail address a@acme.test is still that of the member "Ben", who is about to move to another`:                                              "taken",
		"the member 0199c3f0-0000-7000-8000-000000000001 does not exist":                                                                                 "gone",
		"it took too long and was stopped":                                                                                                               "slow",
		"the database is not available":                                                                                                                  "database",
		"every worker that ran this stopped before it could report: look for crashes in the worker logs, then retry":                                     "crash",
		"this version of the worker does not know operations of kind user.merge":                                                                         "version",
		"a fault in Outpost stopped this: the log of the worker has the details":                                                                         "fault",
	} {
		c := causeOf(models.KindInvitationEmail, said)
		if c.Key != want || c.Heading == "" || c.Todo == "" {
			t.Errorf("%s: %+v", said, c)
		}
		if c.Doubt != (want == "unknown") {
			t.Errorf("%s: trying again is doubtful: %v", said, c.Doubt)
		}
	}
}

func TestFailuresNobodyForesawAreGroupedByTheirWords(t *testing.T) {
	t.Parallel()
	got := byCause([]store.FailureRow{
		{ID: "1", Kind: models.KindGroupSync, Error: "the moon 0199c3f0-0000-7000-8000-000000000001 is full"},
		{ID: "2", Kind: models.KindUserUpsert, Error: `the e-mail address a@acme.test already belongs to the member "Ben"`},
		{ID: "3", Kind: models.KindGroupSync, Error: "the moon 0199c3f0-0000-7000-8000-000000000002 is full"},
	}, "Okta")
	if len(got) != 2 || got[0].Count != 2 || got[0].Heading != "The moon … is full" || got[1].Key != "taken" {
		t.Fatalf("%+v", got)
	}
	if !strings.HasPrefix(got[1].Todo, "Okta wants to give") || strings.Contains(got[1].Todo, "{") {
		t.Error(got[1].Todo)
	}
}

func TestTheMailServersOwnWordsAreShown(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"the mail server m refused a@b.test: 550 5.1.1 no such mailbox": "550 5.1.1 no such mailbox",
		"the mail server m did not answer in time":                      "The mail server m did not answer in time.",
		"the database is not available":                                 "The database is not available.",
	} {
		if got := serverSaid(text); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}
