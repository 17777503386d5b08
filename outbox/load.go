package outbox

import (
	"fmt"
	"math"
	"time"

	"outpost/jobs"
	"outpost/store"
)

// Binds is what keeps a queue class from being done sooner.
type Binds string

// What can bind a class.
const (
	BindsNothing    Binds = "nothing"
	BindsWorkers    Binds = "workers"     // every place is at work, or there is none
	BindsMailServer Binds = "mail server" // how fast it takes mails, or may be given them
	BindsRedis      Binds = "Redis"       // it is away: workers find their work in the database, more slowly
)

// Load is how a queue class does: what waits, how fast it comes and goes, and who is there for it.
type Load struct {
	Class jobs.Class
	store.ClassFigures
	Out       float64      // operations a second that were done with
	Places    *jobs.Places // nil where nobody can say, because there is no Redis or it is away
	RedisAway bool
}

// slowMail is how long a mail may take before it is the mail server that is slow.
const slowMail = time.Second

// allBusy reports whether hardly a place is free.
func (l Load) allBusy() bool { return l.Places != nil && l.Running*10 >= l.Places.Places*9 }

// Binds tells what the class waits for.
func (l Load) Binds() Binds {
	mail := l.Class == jobs.Mail
	switch {
	case l.Waiting == 0 && mail && l.Delayed > 0:
		return BindsMailServer // their pace, or another attempt
	case l.Waiting == 0:
		return BindsNothing
	case l.RedisAway:
		return BindsRedis
	case l.Places == nil || !l.allBusy():
		return BindsNothing
	case mail && l.Places.Places > 0 && l.Out*slowMail.Seconds() < float64(l.Running):
		return BindsMailServer
	}
	return BindsWorkers
}

// EmptyIn is how long it takes until nothing waits, at the rates of now. ok is false when there is no end to it.
func (l Load) EmptyIn() (left time.Duration, ok bool) { return l.emptyIn(l.Out) }

func (l Load) emptyIn(out float64) (time.Duration, bool) {
	waiting := l.Waiting
	if l.Binds() == BindsMailServer {
		waiting += l.Delayed
	}
	if waiting == 0 {
		return 0, true
	}
	if out <= l.In {
		return 0, false
	}
	seconds := float64(waiting) / (out - l.In)
	return time.Duration(math.Min(seconds, 1e6) * float64(time.Second)), true
}

// OneMore says what one more worker of the class would do: the end of the sentence "One more worker would".
func (l Load) OneMore() string {
	switch binds := l.Binds(); {
	case binds == BindsMailServer && l.Waiting == 0:
		return "change nothing: mails wait for their pace or for another attempt"
	case binds == BindsMailServer:
		return "change nothing: the mail server is the limit"
	case binds == BindsRedis:
		return "show its use once Redis is back: until then workers ask the database for work"
	case l.Waiting == 0:
		return "change nothing"
	case l.Places == nil:
		return "do what nobody can tell: without Redis it is not known which workers run"
	case l.Places.Processes == 0:
		return "begin with it: no worker serves this queue"
	case binds == BindsNothing:
		return "change nothing: there are places free"
	case l.Out <= 0:
		return "do what nobody can tell: nothing was done in the last ten seconds"
	}
	n := float64(l.Places.Processes)
	more, ok := l.emptyIn(l.Out * (n + 1) / n)
	now, ends := l.EmptyIn()
	switch {
	case ok && ends:
		return fmt.Sprintf("empty it in %s instead of %s", roughly(more), roughly(now))
	case ok:
		return fmt.Sprintf("empty it in %s: now more comes than goes", roughly(more))
	}
	return fmt.Sprintf("not be enough: it takes %d more to keep up", int(n*(l.In/l.Out-1))+1)
}

// roughly is a duration as people say it.
func roughly(d time.Duration) string {
	switch {
	case d < time.Second:
		return "1 s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.0f h", d.Hours())
}
