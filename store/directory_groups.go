package store

import (
	"context"

	"outpost/models"
)

// WorkspaceGroup finds a directory group of a workspace, one that the provider has deleted included.
func (s *Store) WorkspaceGroup(ctx context.Context, workspaceID, id string) (models.Group, error) {
	var g models.Group
	err := s.r(ctx).Where("id = ? AND workspace_id = ?", id, workspaceID).Take(&g).Error
	return g, translate(err, "the group "+id)
}
