package dashboard

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"

	"outpost/models"
	"outpost/store"
)

// cause is why operations ended as failed, in plain words, with what to do about it.
type cause struct {
	Key     string // in URLs
	Heading string
	Todo    string
	Doubt   bool // trying again may do a thing twice: a person decides, one by one
}

// Verb is what its button says.
func (c cause) Verb() string {
	if c.Doubt {
		return "Send again"
	}
	return "Retry"
}

// causes are what can end an operation, with a part of each sentence that says so. The first that fits counts.
var causes = []struct {
	cause
	says []string
}{
	{cause{"unknown", "We cannot know if this mail arrived", "The mail server went silent after the whole message had been handed over. Ask the person; sending again may give them two mails, and both lead to the same page.", true},
		[]string{"delivery unknown:", "its answer never came"}},
	{cause{"sender", "The mail server does not accept our sender", "Your operator has to correct the sender's address or the sign-in of the mail server. Retry once that is done.", false},
		[]string{"refused our sender address", "refused our sign-in", "offers no way to sign in", "broke off while we signed in"}},
	{cause{"content", "The mail server refused the mail", "The address may be good: the server has a rule against this mail. Ask whoever looks after the mail server, then retry.", false},
		[]string{"refused the mail for "}},
	{cause{"mailbox", "The mail server refused the address", "These people are in the workspace but have no mail from us. Check the addresses in {provider}; when the right one arrives, the invitation goes out by itself. Retry if the mailbox exists now.", false},
		[]string{"the mail server * refused *@"}},
	{cause{"address", "The address cannot receive mail", "Correct the address in {provider}; when the right one arrives, the invitation goes out by itself.", false},
		[]string{"is not an address mail can be sent to"}},
	{cause{"server", "The mail server is set up in a way that cannot work", "Your operator has to correct the mail server's address or its encryption. Retry once that is done.", false},
		[]string{"does not offer STARTTLS", "shows a certificate that cannot be verified", "does not speak TLS on port", "cannot be found by that name", "does not talk to us"}},
	{cause{"away", "The mail server could not be reached", "It was tried for as long as there was hope. Retry once the mail server answers again.", false},
		[]string{"does not accept connections on port", "the mail server * did not answer in time", "closed the connection before it took the mail", "was broken off", "the mailbox is closed", "the mailbox file cannot be written"}},
	{cause{"wording", "The mail could not be written", "A name or an address in it cannot stand in a mail. Correct it in {provider}, then retry; if it stays, tell your operator.", false},
		[]string{"the mail could not be put together", "the mail would link to somewhere other than", "lacks its text or its HTML part", "contains a control character", "the Message-ID ", "contains a character that headers may not have"}},
	{cause{"taken", "The e-mail belongs to another member", "{provider} wants to give these people an address that another member has. Change one of the two in {provider}, or deactivate the other member, then retry.", false},
		[]string{"the e-mail address * already belongs to the member", "who is about to move to another"}},
	{cause{"unique", "Something else has this name already", "Two things of one kind would have the same name. Rename one of them in {provider}, then retry.", false},
		[]string{"is taken already"}},
	{cause{"gone", "What this is about is not there any more", "It was deleted before the work was done. Retry if it is back; else leave it.", false},
		[]string{" does not exist"}},
	{cause{"version", "The worker is older than this work", "Your operator has to bring all workers to the same version. Retry once that is done.", false},
		[]string{"this version of the worker does not know operations of kind"}},
	{cause{"crash", "Every worker stopped while it ran this", "Your operator finds the reason in the logs of the workers. Retry once it is put right.", false},
		[]string{"every worker that ran this stopped"}},
	{cause{"slow", "It took too long", "The database was busy, or there was very much to do at once. Retry; if it stays, tell your operator.", false},
		[]string{"it took too long and was stopped", "the request ended before the database answered"}},
	{cause{"database", "The database was away", "It was tried for as long as there was hope. Retry now that the database answers.", false},
		[]string{"the database is not available", "the database cannot be reached"}},
	{cause{"fault", "Something broke on our side", "Nothing that you did. Retry; if it fails again, tell your operator, who finds the details in the log of the worker.", false},
		[]string{"a fault in Outpost stopped this"}},
}

// causeOf tells why an operation of kind failed, by the sentence it ended with. What nobody foresaw is a cause of its own
// for each sentence.
func causeOf(kind models.Kind, sentenceOfIt string) cause {
	for _, c := range causes {
		for _, part := range c.says {
			if says(sentenceOfIt, part) {
				return c.cause
			}
		}
	}
	text := anyID.ReplaceAllString(sentenceOfIt, "…")
	sum := sha256.Sum256([]byte(string(kind) + text))
	return cause{Key: "other-" + hex.EncodeToString(sum[:4]), Heading: capital(strings.TrimRight(text, ".")), Todo: "Put right what it names, then retry."}
}

var anyID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// says reports whether text has the parts of pattern, which * divides, one after the other.
func says(text, pattern string) bool {
	for part := range strings.SplitSeq(pattern, "*") {
		_, after, found := strings.Cut(text, part)
		if !found {
			return false
		}
		text = after
	}
	return true
}

// byCause sorts failures by what ended them, the commonest first. provider is who sent what is to be corrected.
func byCause(found []store.FailureRow, provider string) []causeRow {
	var all []causeRow
	at := map[string]int{}
	for _, f := range found {
		c := causeOf(f.Kind, f.Error)
		i, known := at[c.Key]
		if !known {
			c.Todo = capital(strings.ReplaceAll(c.Todo, "{provider}", provider))
			i = len(all)
			at[c.Key] = i
			all = append(all, causeRow{cause: c})
		}
		all[i].Count++
		all[i].ids = append(all[i].ids, f.ID)
		all[i].found = append(all[i].found, f)
	}
	slices.SortStableFunc(all, func(a, b causeRow) int { return b.Count - a.Count })
	return all
}

// serverSaid is the mail server's own words in a sentence that quotes them, else the whole sentence.
func serverSaid(text string) string {
	if strings.HasPrefix(text, "the mail server ") {
		if _, answer, found := strings.Cut(text, ": "); found && strings.Contains(text, " refused ") {
			return answer
		}
	}
	return sentence(text)
}
