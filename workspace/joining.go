package workspace

import (
	"time"

	"outpost/models"
	"outpost/store"
)

// Join is a stand-in.
func Join(tx *store.Tx, m *models.Member, by By, how string, now time.Time) error {
	m.Status, m.AcceptedAt, m.UpdatedAt = models.MemberActive, &now, now
	return tx.SaveMember(*m)
}
