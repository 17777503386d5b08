// Package mail holds the mails Outpost sends as types, their templates, and the two senders: SMTP and the mailbox of
// development. It never decides who gets a mail or when one is repeated, and knows nothing of the database.
package mail

import "context"

// Sender hands one message over to whoever delivers it. SMTP and Mailbox are the two there are.
type Sender interface {
	// Send hands m over. committing is called exactly once, after all content has been sent and before the final dot,
	// the moment from which the receiving server may have the mail: the caller stores there that it is about to commit.
	// If committing returns an error the dot is never sent, the server provably did not take the mail, and Send returns
	// that error wrapped. committing may be nil.
	//
	// Where the mail server is the cause, the error is an *Error whose Class says what may be done next. Only a mail of
	// class Unknown may have been delivered; all other errors mean that it was not taken.
	Send(ctx context.Context, m Message, committing func() error) (Receipt, error)
	// Close ends idle connections or files. Sends under way finish first.
	Close() error
}

// Receipt is what the server said when it took the mail.
type Receipt struct {
	// Response is the text of the final 250, which on most servers carries the queue id. It is cleaned for display.
	Response string
}
