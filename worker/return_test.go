package worker_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/scim"
)

// TestAPostBringsSomebodyBack tells who returns by a POST, and as whom.
func TestAPostBringsSomebodyBack(t *testing.T) {
	t.Parallel()
	const post = `{"userName":"ada@acme.test","externalId":"00u-ada","displayName":"Ada Again","emails":[{"value":"ada@acme.test","primary":true}]}`
	for name, test := range map[string]struct {
		leave func(w *fixture.World, id string)
		body  string
		says  string // a uniqueness error with this in it, "" where the person is back
		fresh bool   // as somebody new
	}{
		"deactivated":                                 {leave: deactivate, body: post},
		"deactivated, renamed":                        {leave: deactivate, body: strings.Replace(post, `"userName":"ada@`, `"userName":"ada.new@`, 1)},
		"deactivated, without externalId":             {leave: deactivate, body: strings.Replace(post, `"externalId":"00u-ada",`, "", 1)},
		"deactivated, and posted inactive":            {leave: deactivate, body: strings.Replace(post, `{`, `{"active":false,`, 1), says: "Ada Test"},
		"deactivated, by somebody else":               {leave: deactivate, body: strings.Replace(post, "00u-ada", "00u-other", 1), says: `deactivated and has another externalId, "00u-ada"`},
		"deleted":                                     {leave: remove, body: post},
		"deleted, renamed":                            {leave: remove, body: strings.Replace(post, `"userName":"ada@`, `"userName":"ada.new@`, 1)},
		"deleted, without externalId":                 {leave: remove, body: strings.Replace(post, `"externalId":"00u-ada",`, "", 1)},
		"deleted, and somebody else has the name":     {leave: remove, body: strings.Replace(post, "00u-ada", "00u-other", 1), fresh: true},
		"deleted, and the name is of another address": {leave: remove, body: `{"userName":"ada@acme.test","displayName":"Ada Again","emails":[{"value":"ada.other@acme.test"}]}`, fresh: true},
		"deactivated, and another address":            {leave: deactivate, body: `{"userName":"ada@acme.test","emails":[{"value":"ada.other@acme.test"}]}`, says: "another address"},
		"there, by userName":                          {leave: stay, body: post, says: "Ada Test"},
		"there, by externalId":                        {leave: stay, body: strings.Replace(post, `"userName":"ada@`, `"userName":"else@`, 1), says: `externalId "00u-ada" already belongs to`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fixture.Each(t, func(t *testing.T, w *fixture.World) {
				box := w.Mailbox(nil)
				ada, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(`{"userName":"ada@acme.test","externalId":"00u-ada","displayName":"Ada Test","emails":[{"value":"ada@acme.test","primary":true}]}`))
				if err != nil {
					t.Fatal(err)
				}
				eng := w.Group("Eng", ada.ID)
				w.Settled(20 * time.Second)
				mails := to(box, "ada@acme.test")
				test.leave(w, ada.ID)
				w.Settled(20 * time.Second)

				got, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(test.body))
				if test.says != "" {
					var e *scim.Error
					if !errors.As(err, &e) || e.Type != scim.TypeUniqueness || !strings.Contains(e.Detail, test.says) || !strings.Contains(e.Detail, ada.ID) {
						t.Fatalf("%+v %v", got, err)
					}
					return
				}
				if err != nil || (got.ID == ada.ID) == test.fresh || !got.Active || got.RemovedAt != nil || got.DisplayName != "Ada Again" {
					t.Fatalf("%+v %v, was %s", got, err, ada.ID)
				}
				w.Settled(20 * time.Second)
				m, ok := w.Member(got.Email)
				if !ok || m.Status != models.MemberInvited || *m.DirectoryUserID != got.ID || m.Name != "Ada Again" {
					t.Errorf("%+v", m)
				}
				if got.Email != "ada@acme.test" {
					mails = 0
				}
				if n := to(box, got.Email); n != mails+1 { // another membership, another invitation
					t.Errorf("%d mails, were %d", n, mails)
				}
				// Who was deactivated kept their groups; who was deleted left them.
				in, err := w.Directory.GroupMembers(t.Context(), eng)
				if err != nil || (len(in[eng.ID]) == 1) != (strings.HasPrefix(name, "deactivated")) {
					t.Errorf("in the group: %v %v", in, err)
				}
			})
		})
	}
}

func deactivate(w *fixture.World, id string) { w.SetActive(id, false) }

func remove(w *fixture.World, id string) {
	if err := w.Directory.DeleteUser(w.T.Context(), w.Caller(), id); err != nil {
		w.T.Fatal(err)
	}
}

func stay(*fixture.World, string) {}
