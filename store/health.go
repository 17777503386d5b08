package store

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"outpost/models"
)

// Health is what a connection's provider did last; the zero value, but for the id, where it has not been heard of yet.
func (s *Store) Health(ctx context.Context, connectionID string) (models.ConnectionHealth, error) {
	h := models.ConnectionHealth{ConnectionID: connectionID}
	err := s.r(ctx).Where("connection_id = ?", connectionID).Limit(1).Find(&h).Error
	return h, translate(err, "the connection's health")
}

// Hours lists the hours since a moment in which there were requests to a connection, the oldest first. The hour of that
// moment is among them.
func (s *Store) Hours(ctx context.Context, connectionID string, since time.Time) ([]models.ConnectionHour, error) {
	var hs []models.ConnectionHour
	err := s.r(ctx).Where("connection_id = ? AND hour >= ?", connectionID, since.UTC().Truncate(time.Hour)).Order("hour").Find(&hs).Error
	return hs, translate(err, "the connection's hours")
}

// Tokens lists every token of a connection, ended ones included, newest first and without their hashes.
func (s *Store) Tokens(ctx context.Context, connectionID string) ([]models.Token, error) {
	var ts []models.Token
	err := s.r(ctx).Omit("hash").Where("connection_id = ?", connectionID).Order("id DESC").Find(&ts).Error
	return ts, translate(err, "tokens")
}

// Heard writes down what was gathered about the requests to a connection. Several processes gather: of what they tell,
// the latest in time stays.
func (tx *Tx) Heard(h models.ConnectionHealth) error {
	_, err := tx.exec("the connection's health", heard, h.ConnectionID, plain(h.FirstSuccessAt),
		plain(h.LastAt), h.LastMethod, h.LastRoute, h.LastStatus, h.LastMicros, h.LastIP, h.LastAgent, plain(h.ErrorAt), h.ErrorKind, h.ErrorStatus, h.ErrorDetail)
	return err
}

// heard is the statement of Tx.Heard.
var heard = func() string {
	later := func(at string, columns ...string) (set string) {
		for _, c := range append(columns, at) {
			set += ", " + c + " = CASE WHEN excluded." + at + " > h." + at + " OR h." + at + " IS NULL THEN excluded." + c + " ELSE h." + c + " END"
		}
		return set
	}
	return `INSERT INTO connection_health AS h (connection_id, first_success_at, last_at, last_method, last_route, last_status, last_micros, last_ip, last_agent,
		error_at, error_kind, error_status, error_detail) VALUES (` + strings.Repeat("?, ", 12) + `?) ON CONFLICT (connection_id) DO UPDATE SET
		first_success_at = CASE WHEN excluded.first_success_at < h.first_success_at OR h.first_success_at IS NULL THEN excluded.first_success_at ELSE h.first_success_at END` +
		later("last_at", "last_method", "last_route", "last_status", "last_micros", "last_ip", "last_agent") +
		later("error_at", "error_kind", "error_status", "error_detail")
}()

// AddHour adds h to what is counted for that hour already.
func (tx *Tx) AddHour(h models.ConnectionHour) error {
	_, err := tx.exec("the connection's hour", `INSERT INTO connection_hours AS h (connection_id, hour, requests, failures, micros) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (connection_id, hour) DO UPDATE SET requests = h.requests + excluded.requests, failures = h.failures + excluded.failures, micros = h.micros + excluded.micros`,
		h.ConnectionID, h.Hour.UTC(), h.Requests, h.Failures, h.Micros)
	return err
}

// Took is how long the request behind an audit entry took, from its arrival to its commit.
type Took struct {
	WorkspaceID string `json:"workspace_id"`
	EntryID     string `json:"id"`
	Micros      int64  `json:"took"`
}

// RecordTook puts down, in one statement, how long requests took: it is known only after the entry was committed.
func (tx *Tx) RecordTook(all []Took) error {
	list, err := json.Marshal(all)
	if err != nil {
		return err
	}
	_, err = tx.exec("how long requests took", "UPDATE audit_entries SET took_micros = v.took FROM "+tx.store.dialect.tookList+
		" WHERE audit_entries.workspace_id = v.workspace_id AND audit_entries.id = v.id", string(list))
	return err
}
