package dashboard

// Route is a route as tests see it.
type Route struct {
	Pattern string
	Rule    string
}

// Routes are the routes of a dashboard with these settings.
func Routes(c Config) []Route {
	names := map[rule]string{unruled: "", open: "open", abroad: "open", signed: "signed", admin: "admin", owner: "owner", operator: "operator"}
	d := &Dashboard{Config: c}
	var all []Route
	for _, r := range d.routes() {
		all = append(all, Route{r.pattern, names[r.rule]})
	}
	return all
}

// Topics is how many things are being read for the viewers of live pages.
func Topics(d *Dashboard) int {
	d.live.mu.Lock()
	defer d.live.mu.Unlock()
	return len(d.live.open)
}

// Device is how a list calls a browser.
var Device = deviceWord
