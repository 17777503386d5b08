package dashboard

import "outpost/models"

// securityPage is Settings > Security: whether Directory Sync is on, and whether it may be.
type securityPage struct {
	Plan        models.Plan
	Connections []connectionRow
}

// connectionRow is a connection in one line.
type connectionRow struct {
	models.Connection
	Since moment
}

func showSecurity(r *request) error {
	all, err := r.d.Store.Connections(r.ctx, r.workspace().ID)
	if err != nil {
		return err
	}
	p := securityPage{Plan: r.workspace().Plan}
	for _, c := range all {
		p.Connections = append(p.Connections, connectionRow{Connection: c, Since: r.at(c.CreatedAt)})
	}
	return r.page("security", head{title: "Security", nav: "security"}, p)
}
