package dashboard

// Route is a route as tests see it.
type Route struct {
	Pattern string
	Rule    string
}

// Routes are the routes of a dashboard with these settings.
func Routes(c Config) []Route {
	names := map[rule]string{unruled: "", open: "open", signed: "signed", admin: "admin", owner: "owner", operator: "operator"}
	d := &Dashboard{Config: c}
	var all []Route
	for _, r := range d.routes() {
		all = append(all, Route{r.pattern, names[r.rule]})
	}
	return all
}
