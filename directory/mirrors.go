package directory

import (
	"strings"
	"time"

	"outpost/models"
	"outpost/outbox"
	"outpost/scim"
	"outpost/store"
)

// mirrorAll shows every member of the workspace to a new connection.
func (d *Directory) mirrorAll(tx *store.Tx, c models.Connection, now time.Time) error {
	members, err := tx.UnmirroredMembers(c.WorkspaceID, c.ID)
	if err != nil {
		return err
	}
	for _, m := range members {
		if err := Mirror(tx, c, m, now); err != nil {
			return err
		}
	}
	return nil
}

// Mirror shows a member to a connection as a person that it has not linked yet, with an id of its own. A person who is
// there under the same userName stays as they are.
func Mirror(tx *store.Tx, c models.Connection, m models.Member, now time.Time) error {
	name := m.Email
	if name == "" {
		name = "member-" + m.ID
	}
	given, family, _ := strings.Cut(m.Name, " ")
	resource := scim.NewUser(name, given, family, m.Email)
	u := models.User{
		ID: outbox.ID(), WorkspaceID: c.WorkspaceID, ConnectionID: c.ID, MirrorOf: &m.ID, Active: m.Status != models.MemberDeactivated,
		CreatedAt: now, UpdatedAt: now,
	}
	fill(&u, resource)
	return tx.AddMirror(u)
}
