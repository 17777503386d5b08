package dashboard

import (
	"context"
	"net/http"

	"outpost/workspace"
)

// act does something by hand to the member in the path. What cannot be done is said on their page.
func (r *request) act(do func(context.Context, workspace.By, string) error, note string) error {
	id := r.PathValue("id")
	err := do(r.ctx, r.by(), id)
	if fault := faultOf(err); fault != "" {
		return r.personPage(http.StatusUnprocessableEntity, "", fault)
	}
	if err != nil {
		return err
	}
	return r.seeOther("/people/"+id, note)
}

func resendInvitation(r *request) error {
	return r.act(r.d.Hands.ResendInvitation, "The invitation is on its way again.")
}

func voidInvitation(r *request) error {
	return r.act(r.d.Hands.VoidInvitation, "The invitation is withdrawn.")
}

func deactivatePerson(r *request) error {
	return r.act(r.d.Hands.Deactivate, "Access has ended.")
}

func restorePerson(r *request) error {
	return r.act(r.d.Hands.BringBack, "They have access again.")
}

func signOutPerson(r *request) error {
	return r.act(r.d.Hands.SignOutEverywhere, "They are signed out everywhere.")
}
