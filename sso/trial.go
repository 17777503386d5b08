package sso

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"outpost/models"
	"outpost/store"
)

// Test takes an answer as Enter does, but signs nobody in: it completes the report and keeps it. A report without a
// fault lets single sign-on be required.
func (g *Gate) Test(ctx context.Context, w Way, h Heard, by By) (Report, error) {
	report := h.Report
	err := g.store.Write(ctx, func(tx *store.Tx) error {
		now := g.now()
		report = append(Report{}, h.Report...)
		setup, err := tx.LockSAMLSetup(w.Connection.ID)
		if err != nil {
			return err
		}
		if !sameSetup(setup, w.Setup) {
			return &models.Error{Code: models.Stale, Detail: "the settings have changed since the test began: test again"}
		}
		if h.Refused != nil {
			if h.Request.ID != "" {
				if err := tx.UseSAMLRequest(h.Request.ID, now); err != nil && !models.Is(err, models.Stale) {
					return err
				}
			}
		} else if err := g.tryOut(tx, w, h, report, now); err != nil {
			return err
		}
		_, at, failed := report.Failed()
		detail := "passed"
		if failed {
			detail = fmt.Sprintf("failed at point %d, %s", at, report[at-1].Point)
		} else {
			setup.PassedVersion = setup.Version
		}
		text, err := json.Marshal(report)
		if err != nil {
			return err
		}
		setup.TestedAt, setup.TestReport = &now, string(text)
		tx.Add(by.audit(now, "test sso", w.Connection.ID, detail))
		return tx.SaveSAMLSetup(setup)
	})
	return report, err
}

// tryOut completes the report of an answer that was not refused: not used before, the person, the membership.
func (g *Gate) tryOut(tx *store.Tx, w Way, h Heard, report Report, now time.Time) error {
	err := g.use(tx, w, h, now)
	if models.Is(err, models.Stale) {
		report.Set(PointReplay, "the answer was used before", "Test again. If it stays, your identity provider sends the same answer twice.")
		return nil
	}
	if err != nil {
		return err
	}
	report.Set(PointReplay, "the first time", "")
	m, found, err := g.find(tx, w, h, now)
	switch {
	case err != nil:
		return err
	case m.ID == "" && found.Refused != nil:
		report.Set(PointPerson, found.Detail, found.Cure)
		return nil
	}
	report.Set(PointPerson, "“"+cut(h.Assertion.NameID)+"” is "+m.Name, "")
	if found.Refused != nil {
		report.Set(PointMembership, found.Detail, found.Cure)
		return nil
	}
	report.Set(PointMembership, string(m.Status)+", as "+string(m.Role), "")
	return nil
}

// TestReport is the report of the last test of a setup, nil for none.
func TestReport(s models.SAMLSetup) (Report, error) {
	if s.TestReport == "" {
		return nil, nil
	}
	var r Report
	err := json.Unmarshal([]byte(s.TestReport), &r)
	return r, err
}
