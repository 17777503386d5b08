package dashboard

import (
	"errors"
	"net/http"
	"strings"

	"outpost/models"
	"outpost/sso"
	"outpost/store"
)

// maxRefused bounds the refused sign-ins of one member that are recorded in sso.LinkLife: whoever has an old link, or an
// old answer of an identity provider, cannot fill the audit with it.
const maxRefused = 10

// refused records that somebody could not sign in as a member, and why. It is for whoever holds something of ours that
// names the member; an attempt that names nobody is not recorded.
func (r *request) refused(workspaceID, memberID, detail string) error {
	n, err := r.d.Store.RefusedSignIns(r.ctx, workspaceID, memberID, "", r.now.Add(-sso.LinkLife))
	if err != nil || n >= maxRefused {
		return err
	}
	return r.d.Store.Write(r.ctx, func(tx *store.Tx) error {
		tx.Add(r.entry(methodSignIn, http.StatusForbidden, workspaceID, "somebody", memberID, detail))
		return nil
	})
}

// linkRefused answers somebody whose link is no good, and records it where the link names a member.
func (r *request) linkRefused(link models.SignInLink, err error) error {
	if link.MemberID != nil && (models.Is(err, models.Stale) || models.Is(err, models.Denied)) {
		// Why, without what they should do now.
		why, _, _ := strings.Cut(err.(*models.Error).Detail, ":")
		if err := r.linkFailed(link, why); err != nil {
			return err
		}
	}
	if errors.Is(err, sso.ErrRequired) {
		m, err := r.d.Store.AnyMember(r.ctx, *link.MemberID)
		if err != nil {
			return err
		}
		return r.leadOn(m.WorkspaceID, link.Next)
	}
	return r.linkGone(err)
}

// leadOn shows somebody whose workspace requires single sign-on the way to it, and on to next.
func (r *request) leadOn(workspaceID, next string) error {
	id, err := r.d.Store.SSOForWorkspace(r.ctx, workspaceID)
	if err != nil {
		return err
	}
	w, err := r.d.Gate.Way(r.ctx, r.d.PublicURL, id)
	if err != nil {
		return err
	}
	return r.goOn(w, http.StatusForbidden, next, "This workspace requires "+w.Title()+". Links that we mail do not sign anybody in there any more.")
}

// linkFailed records that a link of a member signed nobody in.
func (r *request) linkFailed(link models.SignInLink, why string) error {
	if link.MemberID == nil {
		return nil
	}
	m, err := r.d.Store.AnyMember(r.ctx, *link.MemberID)
	if models.Is(err, models.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.refused(m.WorkspaceID, m.ID, why)
}
