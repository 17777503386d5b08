package worker_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/scim"
)

// TestAnyOrderOfChangesEndsInWhatTheDirectorySays changes people and groups from many sides while workers run, and then
// compares: whatever overtook whatever, the workspace is the projection of the directory.
func TestAnyOrderOfChangesEndsInWhatTheDirectorySays(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		const people, groups, sides, steps = 24, 4, 6, 60
		box := w.Mailbox(nil)
		var mu sync.Mutex
		ids := make([]string, people)
		var teams [groups]string
		for i := range teams {
			teams[i] = w.Group(fmt.Sprintf("Team %d", i)).ID
		}
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		var wg sync.WaitGroup
		for side := range sides {
			rng := rand.New(rand.NewPCG(seed, uint64(side)))
			wg.Go(func() {
				for range steps {
					i := rng.IntN(people)
					name := fmt.Sprintf("p%02d", i)
					mu.Lock()
					id := ids[i]
					mu.Unlock()
					var err error
					switch what := rng.IntN(10); {
					case id == "":
						var u models.User
						if u, err = w.Directory.CreateUser(t.Context(), w.Caller(), w.Person(name)); err == nil {
							mu.Lock()
							ids[i] = u.ID
							mu.Unlock()
						}
					case what < 2:
						err = patch(t, w, id, fmt.Sprintf(`[{"op":"replace","value":{"active":%v}}]`, rng.IntN(2) == 0))
					case what == 2:
						err = patch(t, w, id, fmt.Sprintf(`[{"op":"replace","path":"displayName","value":"Name %d"}]`, rng.IntN(1000)))
					case what == 3:
						if err = w.Directory.DeleteUser(t.Context(), w.Caller(), id); err == nil {
							mu.Lock()
							ids[i] = ""
							mu.Unlock()
						}
					case what < 7:
						_, err = w.Directory.PatchGroup(t.Context(), w.Caller(), teams[rng.IntN(groups)], []scim.GroupChange{{Kind: scim.AddMembers, Members: fixture.Members(id, "00u-"+fmt.Sprintf("p%02d", rng.IntN(people)))}})
					case what < 9:
						_, err = w.Directory.PatchGroup(t.Context(), w.Caller(), teams[rng.IntN(groups)], []scim.GroupChange{{Kind: scim.RemoveMembers, Members: fixture.Members(id)}})
					default:
						mu.Lock()
						keep := append([]string{}, ids[:people/2]...)
						mu.Unlock()
						var named []scim.Member
						for _, k := range keep {
							if k != "" {
								named = append(named, scim.Member{Value: k})
							}
						}
						_, err = w.Directory.PatchGroup(t.Context(), w.Caller(), teams[rng.IntN(groups)], []scim.GroupChange{{Kind: scim.ReplaceMembers, Members: named}})
					}
					var refused *scim.Error
					if err != nil && !asSCIM(err, &refused) { // two sides met: 404 or 409 is an answer
						t.Errorf("%v", err)
					}
				}
			})
		}
		wg.Wait()
		w.Settled(60 * time.Second)
		for _, op := range w.Operations() {
			if op.State == models.OperationFailed || op.State == models.OperationHeld {
				t.Errorf("%s %s: %s", op.Kind, op.State, op.Error)
			}
		}
		seen := map[string]bool{}
		for _, m := range box.Messages() {
			if seen[m.MessageID] {
				t.Errorf("two mails with the id %s", m.MessageID)
			}
			seen[m.MessageID] = true
		}
	})
}

func patch(t *testing.T, w *fixture.World, id, operations string) error {
	p, err := scim.DecodePatch(strings.NewReader(`{"Operations":` + operations + `}`))
	if err != nil {
		return err
	}
	_, err = w.Directory.PatchUser(t.Context(), w.Caller(), id, p)
	return err
}

func asSCIM(err error, target **scim.Error) bool { return errors.As(err, target) }
