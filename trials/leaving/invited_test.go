package leaving

import (
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"testing"
	"time"
)

// TestAnInvitationThatIsAcceptedWhileItsPersonLeavesLetsNobodyStay lets browsers accept an invitation at the instant at
// which the provider takes the person away: whoever is faster, nobody is in after the answer.
func TestAnInvitationThatIsAcceptedWhileItsPersonLeavesLetsNobodyStay(t *testing.T) {
	n := rounds(t, 12)
	for _, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, database.driver, database.open(t), slog.New(slog.DiscardHandler))
			guests := make([]*leaver, n)
			for i := range guests {
				guests[i] = &leaver{name: fmt.Sprintf("guest%d", i)}
				guests[i].userID = s.provision(guests[i].name)
			}
			s.Settled(120 * time.Second)
			before, after := 0, 0
			for round, l := range guests {
				d := departures[round%4] // the provider's
				var invitation string
				must(t, s.db.QueryRow("SELECT id FROM invitations WHERE user_id = $1", l.userID).Scan(&invitation))
				path := "/invite/" + s.Converge.InvitationToken(invitation)
				tried := make(chan struct{}, 4)
				var browsers sync.WaitGroup
				for range 4 {
					browsers.Go(func() {
						for late := 0; late < 3; {
							ended := !l.ended().IsZero()
							a, err := s.browse("POST", path, url.Values{}, "")
							select {
							case tried <- struct{}{}:
							default:
							}
							if err != nil || ended && a.session() != "" {
								t.Errorf("%s: accepted after the answer: %d %v", d.name, a.status, err)
							}
							l.gain(a.session())
							if ended {
								late++
							}
						}
					})
				}
				if round%3 == 0 { // the others leave at the same instant
					<-tried
				}
				a, err := d.end(s, l, l.userID)
				must(t, err)
				l.mu.Lock()
				l.end = a.arrived
				l.mu.Unlock()
				if a.status >= 300 {
					t.Errorf("%s: %d %s", d.name, a.status, a.body)
				}
				browsers.Wait()
				after += 4 * 3
				before += len(l.gained)
				for _, session := range l.gained {
					if a, err := s.browse("GET", "/", nil, session); err != nil || !toSignIn(a) {
						t.Errorf("%s: a session that was begun by the invitation lives: %d %v", d.name, a.status, err)
					}
				}
			}
			t.Logf("%s: %d departures of invited people; %d joined a moment before, and %d attempts began after the answer", database.name, n, before, after)
		})
	}
}
