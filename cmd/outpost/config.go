package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"outpost/mail"
	"outpost/models"
	"outpost/scim"
)

// config is the configuration from the environment. Every field has its row in the README.
type config struct {
	DatabaseURL    string        `env:"DATABASE_URL"`
	RedisURL       string        `env:"REDIS_URL"`
	SMTPURL        string        `env:"SMTP_URL"`
	MailFrom       mail.Address  `env:"MAIL_FROM"`
	PublicURL      publicURL     `env:"PUBLIC_URL"`
	ListenAddr     address       `env:"LISTEN_ADDR"`
	Port           uint16        `env:"PORT"` // what platforms set; LISTEN_ADDR comes before it
	MetricsAddr    address       `env:"METRICS_ADDR"`
	SecretKey      secretKey     `env:"SECRET_KEY"`
	OperatorEmails []bareAddress `env:"OPERATOR_EMAILS"`
	TrustedProxies []network     `env:"TRUSTED_PROXIES"`
	Data           string        `env:"OUTPOST_DATA" envDefault:"./outpost-data"`
	LogLevel       logLevel      `env:"LOG_LEVEL"` // info; in dev warn
	LogFormat      logFormat     `env:"LOG_FORMAT" envDefault:"text"`
	InvitationHold time.Duration `env:"INVITATION_HOLD" envDefault:"10s"`
	InvitationDays days          `env:"INVITATION_DAYS" envDefault:"7"`
	ReminderDays   days          `env:"INVITATION_REMINDER_DAYS" envDefault:"3"` // 0 for no reminder
	MailRate       float64       `env:"MAIL_RATE" envDefault:"50"`               // mails a second and workspace

	set map[string]string // the variables as they are
}

// Values that are checked as they are read.
type (
	publicURL   string // scheme and host alone
	address     string // host:port to listen on
	secretKey   string
	bareAddress string
	network     string // in CIDR notation
	logLevel    string // debug, info, warn or error
	logFormat   string // text or json
	days        int
)

// duration is the days as a time, 24 hours each.
func (d days) duration() time.Duration { return time.Duration(d) * 24 * time.Hour }

const (
	defaultListenAddr  = "127.0.0.1:8080"
	defaultMetricsAddr = "127.0.0.1:9464"
	defaultData        = "./outpost-data"
)

// required are the variables that the production roles do not start without, and what to write there.
var required = [...]struct{ name, form string }{
	{"DATABASE_URL", "postgres://user:password@host:port/database"},
	{"SMTP_URL", "smtp://user:password@host:port"},
	{"PUBLIC_URL", "https://outpost.example.com"},
	{"SECRET_KEY", "any text of 32 bytes or more"},
}

// parsers read the values of config's own types. Their errors go on where the variable's name ends.
var parsers = map[reflect.Type]env.ParserFunc{
	reflect.TypeFor[publicURL](): func(s string) (any, error) { return parsePublicURL(s) },
	reflect.TypeFor[address]():   func(s string) (any, error) { return parseAddress(s) },
	reflect.TypeFor[secretKey](): func(s string) (any, error) { return parseSecretKey(s) },
	reflect.TypeFor[bareAddress](): func(s string) (any, error) {
		return bareAddress(strings.TrimSpace(s)), mail.CheckAddress(strings.TrimSpace(s))
	},
	reflect.TypeFor[network]():       func(s string) (any, error) { return parseNetwork(strings.TrimSpace(s)) },
	reflect.TypeFor[mail.Address]():  func(s string) (any, error) { return mail.ParseAddress(s) },
	reflect.TypeFor[logFormat]():     func(s string) (any, error) { return parseLogFormat(s) },
	reflect.TypeFor[logLevel]():      func(s string) (any, error) { return parseLogLevel(s) },
	reflect.TypeFor[time.Duration](): func(s string) (any, error) { return parseDuration(s) },
	reflect.TypeFor[days]():          func(s string) (any, error) { return parseDays(s) },
	reflect.TypeFor[float64]():       func(s string) (any, error) { return parseRate(s) },
	reflect.TypeFor[uint16]():        func(s string) (any, error) { return parsePort(s) },
}

// readConfig reads the configuration and names every fault in one error. With complete set, a variable that the
// production roles need and that is not set is a fault too.
func readConfig(environ []string, complete bool) (config, error) {
	c, faults := parseConfig(environ)
	if missing := c.missing(); complete && len(missing) > 0 {
		faults = append([]string{missingSentence(missing)}, faults...)
	}
	if len(faults) > 0 {
		return c, fault(models.Invalid, "%s", strings.Join(faults, "; "))
	}
	return c, nil
}

func parseConfig(environ []string) (config, []string) {
	set := env.ToMap(environ)
	for name, value := range set {
		if set[name] = strings.TrimSpace(value); set[name] == "" {
			delete(set, name) // set to nothing is not set
		}
	}
	c := config{set: set}
	var faults []string
	var parsed env.AggregateError
	if errors.As(env.ParseWithOptions(&c, env.Options{Environment: set, FuncMap: parsers}), &parsed) {
		for _, err := range parsed.Errors {
			faults = append(faults, describe(err))
		}
	}
	faults = append(faults, checkURLs(c)...)
	if !slices.ContainsFunc(faults, func(f string) bool { return strings.HasPrefix(f, "INVITATION_") }) {
		faults = append(faults, checkDays(c)...)
	}
	faults = append(faults, unknownVariables(set)...)
	return c, faults
}

// describe says which variable an error is about.
func describe(err error) string {
	var p env.ParseError
	if !errors.As(err, &p) {
		return err.Error()
	}
	name := p.Name
	if field, ok := reflect.TypeFor[config]().FieldByName(p.Name); ok {
		name = field.Tag.Get("env")
	}
	return name + ": " + p.Err.Error()
}

// checkDays looks at what the life of an invitation and the moment of its reminder must be to each other.
func checkDays(c config) (faults []string) {
	switch {
	case c.InvitationDays == 0:
		return []string{"INVITATION_DAYS: an invitation is good for one day or more"}
	case c.ReminderDays >= c.InvitationDays:
		return []string{fmt.Sprintf("INVITATION_REMINDER_DAYS: %d is not less than INVITATION_DAYS, which is %d: choose fewer days, or 0 for no reminder", c.ReminderDays, c.InvitationDays)}
	}
	return nil
}

// checkURLs looks at the URLs that other packages read, so that a mistake shows before anything has started.
func checkURLs(c config) (faults []string) {
	if u := c.DatabaseURL; u != "" && !strings.HasPrefix(u, "postgres://") && !strings.HasPrefix(u, "postgresql://") && !strings.HasPrefix(u, "sqlite:") {
		faults = append(faults, "DATABASE_URL: it begins neither with postgres:// nor with sqlite:")
	}
	if u := c.RedisURL; u != "" && !strings.HasPrefix(u, "redis://") && !strings.HasPrefix(u, "rediss://") && !strings.HasPrefix(u, "redis-sentinel://") {
		faults = append(faults, "REDIS_URL: it begins neither with redis:// nor with rediss:// nor with redis-sentinel://")
	}
	if c.SMTPURL != "" {
		if s, err := mail.NewSMTP(c.SMTPURL); err != nil {
			faults = append(faults, "SMTP_URL: "+err.Error())
		} else {
			s.Close()
		}
	}
	return faults
}

func (c config) missing() (missing []string) {
	for _, r := range required {
		if c.set[r.name] == "" {
			missing = append(missing, r.name)
		}
	}
	return missing
}

func missingSentence(missing []string) string {
	var forms []string
	for _, r := range required {
		if slices.Contains(missing, r.name) {
			forms = append(forms, r.name+" ("+r.form+")")
		}
	}
	if len(forms) == 1 {
		return forms[0] + " is not set"
	}
	return strings.Join(forms[:len(forms)-1], ", ") + " and " + forms[len(forms)-1] + " are not set"
}

// listen is where HTTP is served.
func (c config) listen() string {
	if c.ListenAddr == "" && c.Port != 0 {
		return fmt.Sprintf("0.0.0.0:%d", c.Port)
	}
	return cmp.Or(string(c.ListenAddr), defaultListenAddr)
}

// from is the sender of all mail: MAIL_FROM, else an address at the host of PUBLIC_URL.
func (c config) from() mail.Address {
	if c.MailFrom.Email != "" {
		return c.MailFrom
	}
	host := "localhost"
	if u, err := url.Parse(string(c.PublicURL)); err == nil && u.Hostname() != "" && net.ParseIP(u.Hostname()) == nil {
		host = u.Hostname()
	}
	return mail.Address{Name: "Outpost", Email: "no-reply@" + host}
}

// mailPace is the time between two mails of a workspace.
func (c config) mailPace() time.Duration { return time.Duration(float64(time.Second) / c.MailRate) }

// logger writes the log; level is what LOG_LEVEL is when it is not set.
func (c config) logger(w io.Writer, level slog.Level) *slog.Logger {
	if c.LogLevel != "" {
		_ = level.UnmarshalText([]byte(c.LogLevel)) // one of four, as read
	}
	o := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// trustedProxies are the networks whose X-Forwarded-For is believed.
func (c config) trustedProxies() []string {
	var all []string
	for _, n := range c.TrustedProxies {
		all = append(all, string(n))
	}
	return all
}

// operators are the addresses of OPERATOR_EMAILS, folded.
func (c config) operators() []string {
	var all []string
	for _, address := range c.OperatorEmails {
		all = append(all, scim.Fold(string(address)))
	}
	return all
}

func parsePublicURL(s string) (publicURL, error) {
	u, err := url.Parse(strings.TrimRight(strings.TrimSpace(s), "/"))
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return "", errors.New("it must be a URL such as https://outpost.example.com")
	case u.User != nil:
		return "", errors.New("it must not have a user or password in it")
	case u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", errors.New("it must end after the host: no path, no query")
	case strings.Contains(u.Host, "_"):
		return "", errors.New("it must not have an underscore, which Okta does not accept in a base URL")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return publicURL(u.Scheme + "://" + strings.ToLower(u.Host)), nil
	case u.Scheme == "http":
		return "", errors.New("it must begin with https://, as http is for loopback addresses only")
	}
	return "", errors.New("it must begin with https://")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || (ip != nil && ip.IsLoopback())
}

func parseAddress(s string) (address, error) {
	s = strings.TrimSpace(s)
	_, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return "", fmt.Errorf("%q is not of the form host:port, as in 127.0.0.1:8080", s)
	}
	return address(s), nil
}

func parseSecretKey(s string) (secretKey, error) {
	if len(s) < 32 {
		return "", fmt.Errorf("it has %d bytes and needs 32 or more ('openssl rand -hex 32' makes a good one)", len(s))
	}
	return secretKey(s), nil
}

func parseNetwork(s string) (network, error) {
	if _, err := netip.ParseAddr(s); err == nil {
		return network(s), nil
	}
	if _, err := netip.ParsePrefix(s); err != nil {
		return "", fmt.Errorf("%q is not a network such as 10.0.0.0/8; separate several with commas", s)
	}
	return network(s), nil
}

func parseLogFormat(s string) (logFormat, error) {
	if f := logFormat(strings.ToLower(s)); f == "text" || f == "json" {
		return f, nil
	}
	return "", fmt.Errorf("there is no format %q: use text or json", s)
}

func parseLogLevel(s string) (logLevel, error) {
	switch l := logLevel(strings.ToLower(s)); l {
	case "debug", "info", "warn", "error":
		return l, nil
	}
	return "", fmt.Errorf("there is no level %q: use debug, info, warn or error", s)
}

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration such as 10s or 2m", s)
	}
	return d, nil
}

func parseDays(s string) (days, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n > 365 {
		return 0, fmt.Errorf("%q is not a number of days from 0 to 365", s)
	}
	return days(n), nil
}

func parseRate(s string) (float64, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || f < 0.001 || f > 1e6 {
		return 0, fmt.Errorf("%q is not a number of mails a second such as 50 or 0.5", s)
	}
	return f, nil
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is not a port from 1 to 65535", s)
	}
	return uint16(n), nil
}

// serviceLink matches what Kubernetes puts into the environment of every container beside a service called outpost…:
// addresses, not settings.
var serviceLink = regexp.MustCompile(`^OUTPOST_([A-Z0-9_]+_)?(SERVICE_HOST=|SERVICE_PORT(_[A-Z0-9_]+)?=|PORT=[a-z]+://|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?=)`)

// unknownVariables complains about OUTPOST_* variables that nothing reads: they are misspelt.
func unknownVariables(set map[string]string) (faults []string) {
	params, err := env.GetFieldParams(&config{})
	if err != nil {
		return []string{err.Error()}
	}
	for name, value := range set {
		if !strings.HasPrefix(name, "OUTPOST_") || serviceLink.MatchString(name+"="+value) {
			continue
		}
		nearest, distance := "", math.MaxInt
		known := false
		for _, p := range params {
			known = known || p.Key == name
			if d := min(edits(name, p.Key), edits(strings.TrimPrefix(name, "OUTPOST_"), p.Key)); d < distance {
				nearest, distance = p.Key, d
			}
		}
		if !known {
			faults = append(faults, fmt.Sprintf("there is no variable %s; the nearest one is %s", name, nearest))
		}
	}
	slices.Sort(faults)
	return faults
}

// edits counts the letters to insert, delete or exchange to get from a to b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
