package workspace

import (
	"time"

	"outpost/models"
	"outpost/outbox"
	"outpost/sso"
	"outpost/store"
)

// warnings are the days before the end of a certificate at which owners are told.
var warnings = [...]int{1, 7, firstWarning}

const firstWarning = 30

// FirstWarning is how long before the end of a certificate people are warned of it first.
const FirstWarning = firstWarning * 24 * time.Hour

// CertificateEnds tells when nobody can sign in through a connection any more, because the last certificate of its
// provider ends, and whether that is within the days of a warning.
func CertificateEnds(tx *store.Tx, connectionID string, now time.Time) (ends time.Time, soon bool, err error) {
	setup, err := tx.SAMLSetup(connectionID)
	if models.Is(err, models.NotFound) {
		return ends, false, nil
	}
	if err != nil {
		return ends, false, err
	}
	ends, err = lastEnd(setup)
	return ends, warningAt(ends, now) > 0, err
}

// lastEnd is when the last of a setup's certificates ends.
func lastEnd(setup models.SAMLSetup) (ends time.Time, err error) {
	provider, err := sso.ProviderOf(setup)
	for _, c := range provider.Certificates {
		if c.NotAfter.After(ends) {
			ends = c.NotAfter
		}
	}
	return ends, err
}

// warningAt is the number of days of the warning that is due, 0 for none.
func warningAt(ends, now time.Time) int {
	for _, days := range warnings {
		if ends.Sub(now) <= time.Duration(days)*24*time.Hour {
			return days
		}
	}
	return 0
}

// WarnOfCertificate mails the active owners of a connection's workspace, inside the caller's transaction, when the last
// certificate of its single sign-on ends within 30, 7 or 1 days: once for each. It returns the operations that send.
func WarnOfCertificate(tx *store.Tx, connectionID string, now time.Time) ([]models.Operation, error) {
	setup, err := tx.LockSAMLSetup(connectionID)
	if models.Is(err, models.NotFound) {
		return nil, nil // switched off meanwhile
	}
	if err != nil {
		return nil, err
	}
	ends, err := lastEnd(setup)
	if err != nil {
		return nil, err
	}
	days := warningAt(ends, now)
	if days == 0 || setup.WarnedDays > 0 && setup.WarnedDays <= days {
		return nil, nil
	}
	owners, err := tx.ActiveOwners(setup.WorkspaceID)
	if err != nil {
		return nil, err
	}
	var ops []models.Operation
	for _, m := range owners {
		if m.EmailKey == "" {
			continue
		}
		op := outbox.Operation(models.KindOwnerEmail, setup.WorkspaceID, connectionID, models.ResourceMember, m.ID, 0, now)
		tx.Add(&models.Mail{ID: outbox.ID(), WorkspaceID: setup.WorkspaceID, OperationID: op.ID, MemberID: m.ID, Kind: models.MailCertificate, Recipient: m.Email, State: models.MailReady, CreatedAt: now})
		ops = append(ops, op)
	}
	setup.WarnedDays = days
	return ops, tx.SaveSAMLSetup(setup)
}
