package store

import (
	"context"

	"outpost/models"
)

// WorkspaceBySlug finds a workspace by its slug.
func (s *Store) WorkspaceBySlug(ctx context.Context, slug string) (models.Workspace, error) {
	var w models.Workspace
	err := s.r(ctx).Where("slug = ?", slug).Take(&w).Error
	return w, translate(err, "the workspace "+slug)
}

// WorkspaceByID finds a workspace by its id, inside the transaction.
func (tx *Tx) WorkspaceByID(id string) (models.Workspace, error) {
	return one[models.Workspace](tx, "the workspace", "SELECT * FROM workspaces WHERE id = ?", id)
}

// Workspaces lists every workspace, newest first.
func (s *Store) Workspaces(ctx context.Context) ([]models.Workspace, error) {
	var ws []models.Workspace
	err := s.r(ctx).Order("id DESC").Find(&ws).Error
	return ws, translate(err, "workspaces")
}

// SetPlan changes the plan of a workspace. One without single sign-on ends the sessions that began with it.
func (tx *Tx) SetPlan(id string, plan models.Plan) error {
	n, err := tx.exec("set the plan", "UPDATE workspaces SET plan = ? WHERE id = ?", plan, id)
	if err := affected(n, err, "the workspace"); err != nil {
		return err
	}
	if !plan.DirectorySync() {
		if _, err := tx.exec("end sessions", "UPDATE sessions SET ended_at = "+tx.store.dialect.now(0)+" WHERE workspace_id = ? AND method = ? AND ended_at IS NULL", id, models.MethodSAML); err != nil {
			return err
		}
	}
	_, err = tx.exec("change access", "UPDATE connections SET stamp = stamp + 1 WHERE workspace_id = ?", id)
	return err
}

// Setting reads a value kept for the whole installation, "" when it was never set.
func (s *Store) Setting(ctx context.Context, key string) (string, error) {
	var values []string
	err := s.r(ctx).Raw("SELECT value FROM settings WHERE key = ?", key).Scan(&values).Error
	if err != nil || len(values) == 0 {
		return "", translate(err, "setting "+key)
	}
	return values[0], nil
}

// Setting reads a value kept for the whole installation inside the transaction, "" when it was never set.
func (tx *Tx) Setting(key string) (string, error) {
	var values []string
	if _, err := tx.query(&values, "setting "+key, "SELECT value FROM settings WHERE key = ?", key); err != nil || len(values) == 0 {
		return "", err
	}
	return values[0], nil
}

// SetSetting keeps a value for the whole installation.
func (tx *Tx) SetSetting(key, value string) error {
	_, err := tx.exec("set "+key, "INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
	return err
}
