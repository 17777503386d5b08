package dashboard

import "outpost/models"

// rule says who may use a route. Whoever may not sees what is not there.
type rule uint8

const (
	unruled  rule = iota // no rule: a test fails for such a route
	open                 // everybody
	abroad               // everybody, with a form of another site: a provider's answer
	signed               // whoever is signed in
	admin                // owners and admins of the workspace
	owner                // owners of the workspace
	operator             // who runs the installation
)

// allows reports, as an error, why the visitor may not.
func (u rule) allows(r *request) error {
	role := r.member().Role
	switch u {
	case signed:
		return nil
	case admin:
		if r.manages() {
			return nil
		}
		return &models.Error{Code: models.Denied, Detail: "only owners and admins can open this page: ask an owner of the workspace to make you an admin"}
	case owner:
		if role == models.RoleOwner {
			return nil
		}
		return &models.Error{Code: models.Denied, Detail: "only owners can do this: ask an owner of the workspace"}
	case operator:
		if r.operates() {
			return nil
		}
		return errNothing
	}
	return errNothing
}

// route is one line of the list.
type route struct {
	pattern string // as http.ServeMux reads it
	rule    rule
	do      func(*request) error
}

// routes is every route there is, /dev/mail apart.
func (d *Dashboard) routes() []route {
	all := []route{
		{"GET /{$}", signed, showStart},
		{"GET /static/{file}", open, showStatic},
		{"/", open, showNothing},

		{"GET /signin", open, showSignIn},
		{"POST /signin", open, askSignIn},
		{"GET /signin/sent", open, showSent},
		{"GET /signin/{token}", open, showLink},
		{"POST /signin/{token}", open, useLink},
		{"POST /signin/again", signed, askAgain},
		{"GET /signin/again", signed, beginAgain},
		{"GET /signin/sso", open, showFindSSO},
		{"POST /signin/sso", open, findSSO},
		{"GET /saml/{id}/metadata", open, showServiceMetadata},
		{"GET /saml/{id}/login", open, beginSSO},
		{"POST /saml/{id}/acs", abroad, takeAnswer},
		{"POST /signout", signed, signOut},
		{"GET /invite/{token}", open, showInvitation},
		{"POST /invite/{token}", open, acceptInvitation},
		{"GET /invite/{token}/sso", open, continueInvitation},
		{"POST /invite/{token}/again", open, askInvitation},
		{"POST /invite/{token}/signout", open, leaveForInvitation},
		{"POST /workspace", signed, switchWorkspace},
		{"POST /theme", open, setTheme},
		{"GET /find", admin, find},
		{"GET /account/sessions", signed, showSessions},
		{"POST /account/sessions/{id}/end", signed, endSession},
		{"POST /account/sessions/end-others", signed, endOtherSessions},
		{"POST /account/sessions/end-all", signed, endAllSessions},

		{"GET /activity", admin, showActivity},
		{"GET /activity.csv", admin, exportActivity},
		{"GET /activity/live", admin, liveActivity},
		{"GET /activity/requests/{id}", admin, showRequest},
		{"GET /activity/failures", admin, showFailures},
		{"POST /activity/failures/retry", admin, retryFailures},
		{"GET /activity/held", admin, showHeld},
		{"POST /activity/held/decide", owner, decideHeld},

		{"GET /settings/security", admin, showSecurity},
		{"GET /settings/security/directory-sync/new", owner, chooseProvider},
		{"POST /settings/security/directory-sync", owner, createConnection},
		{"GET /settings/security/directory-sync/{id}", admin, showConnection},
		{"POST /settings/security/directory-sync/{id}", owner, setConnection},
		{"GET /settings/security/directory-sync/{id}/live", admin, liveHealth},
		{"GET /settings/security/directory-sync/{id}/setup", owner, showSetup},
		{"GET /settings/security/directory-sync/{id}/setup/live", owner, liveSetup},
		{"POST /settings/security/directory-sync/{id}/tokens", owner, newToken},
		{"POST /settings/security/directory-sync/{id}/tokens/{token}/end", owner, endToken},
		{"POST /settings/security/directory-sync/{id}/roles", owner, mapRole},
		{"POST /settings/security/directory-sync/{id}/invitations", owner, setInvitations},
		{"POST /settings/security/directory-sync/{id}/invitations/send", owner, sendWaiting},
		{"GET /settings/security/sso", owner, showSSO},
		{"POST /settings/security/sso", owner, configureSSO},
		{"POST /settings/security/sso/certificates", owner, setCertificates},
		{"POST /settings/security/sso/options", owner, setSSOOptions},
		{"POST /settings/security/sso/require", owner, requireSSO},
		{"POST /settings/security/sso/disable", owner, disableSSO},
		{"GET /settings/security/sso/test", owner, testSSO},
		{"GET /people", admin, showPeople},
		{"GET /people.csv", admin, exportPeople},
		{"GET /people/{id}", admin, showPerson},
		{"POST /people/{id}/resend", admin, resendInvitation},
		{"POST /people/{id}/void", admin, voidInvitation},
		{"POST /people/{id}/deactivate", admin, deactivatePerson},
		{"POST /people/{id}/restore", admin, restorePerson},
		{"POST /people/{id}/sign-out", admin, signOutPerson},
		{"GET /groups", admin, showGroups},
		{"GET /groups/{id}", admin, showGroup},
		{"GET /runs", admin, showRuns},
		{"GET /runs/{id}", admin, showRun},
		{"GET /runs/{id}/live", admin, liveRun},
		{"GET /operator/queues", operator, showQueues},
		{"GET /operator/queues/live", operator, liveQueues},
		{"GET /settings/members", admin, showMembers},
		{"POST /settings/members", admin, inviteMember},
		{"POST /settings/members/{id}/role", admin, changeRole},
	}
	if d.Queue != nil {
		queues := Monitoring(d.Queue.Connection(), "/monitoring")
		show := func(r *request) error { queues.ServeHTTP(r.w, r.Request); return nil }
		all = append(all, route{"/monitoring", operator, show}, route{"/monitoring/", operator, show})
	}
	return all
}
