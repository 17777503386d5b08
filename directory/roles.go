package directory

import (
	"context"

	"outpost/models"
	"outpost/store"
)

// MapRole lets a group give its people a role, admin or member; "" takes that back. It holds for everybody in the group
// once the group's operation has run, owners excepted: no group makes an owner, and none unmakes one.
func (d *Directory) MapRole(ctx context.Context, c Caller, groupID string, role models.Role) error {
	switch role {
	case models.RoleAdmin, models.RoleMember, "":
	case models.RoleOwner:
		return &models.Error{Code: models.Invalid, Detail: "no group can make an owner: choose admin or member, and make single people owners by hand"}
	default:
		return &models.Error{Code: models.Invalid, Detail: "there is no role '" + string(role) + "': choose admin or member"}
	}
	missing := &models.Error{Code: models.NotFound, Detail: "there is no such group in this connection: it may have been deleted meanwhile"}
	if !IsID(groupID) {
		return missing
	}
	now := d.now()
	return d.outbox.Write(ctx, func(tx *store.Tx) ([]models.Operation, error) {
		g, err := tx.LockGroup(c.ConnectionID, groupID)
		if isNotFound(err) || err == nil && g.WorkspaceID != c.WorkspaceID {
			return nil, missing
		}
		if err != nil {
			return nil, err
		}
		old, _, err := tx.RoleMapping(g.ID)
		if err != nil {
			return nil, err
		}
		if old.Role == role {
			tx.Add(c.audit(now, models.ResourceGroup, g.ID, 200, "no change", nil))
			return nil, nil
		}
		g.Version++
		if err := tx.SaveRoleMapping(models.RoleMapping{GroupID: g.ID, WorkspaceID: g.WorkspaceID, ConnectionID: g.ConnectionID, Role: role, Version: g.Version, CreatedBy: c.Actor, CreatedAt: now}); err != nil {
			return nil, err
		}
		op := groupOperation(c, g, now)
		tx.Add(c.audit(now, models.ResourceGroup, g.ID, 200, gives(g, role), &op))
		return []models.Operation{op}, tx.SaveGroup(g)
	})
}

// gives says what a group gives from now on.
func gives(g models.Group, role models.Role) string {
	if role == "" {
		return g.DisplayName + " gives no role any more"
	}
	return g.DisplayName + " gives the role " + string(role)
}
