package api

import (
	"net/http"

	"outpost/models"
	"outpost/scim"
)

func (s *server) createUser(r *request) error {
	in, err := decode(r, scim.DecodeUser)
	if err != nil {
		return err
	}
	u, err := s.directory.CreateUser(r.ctx, r.caller, in)
	if err != nil {
		return err
	}
	return s.showCreatedUser(r, u)
}

func (s *server) getUser(r *request) error {
	u, err := s.directory.User(r.ctx, r.caller, r.Param("id"))
	if err != nil {
		return err
	}
	return s.showUser(r, u)
}

func (s *server) listUsers(r *request) error {
	q, err := r.list()
	if err != nil {
		return err
	}
	page, err := s.directory.Users(r.ctx, r.caller, q)
	if err != nil {
		return err
	}
	p := r.search.Projection()
	groups, err := s.groupsShown(r, p, page.Rows...)
	if err != nil {
		return err
	}
	r.renderList(listed(q, page, func(u models.User) string { return u.ID }), len(page.Rows), func(dst []byte, i int) []byte {
		return s.appendUser(dst, r, &page.Rows[i], groups, p)
	})
	return nil
}

func (s *server) replaceUser(r *request) error {
	in, err := decode(r, scim.DecodeUser)
	if err != nil {
		return err
	}
	u, err := s.directory.ReplaceUser(r.ctx, r.caller, r.Param("id"), in)
	if err != nil {
		return err
	}
	return s.showChangedUser(r, http.StatusOK, u)
}

func (s *server) patchUser(r *request) error {
	patch, err := decode(r, scim.DecodePatch)
	if err != nil {
		return err
	}
	u, err := s.directory.PatchUser(r.ctx, r.caller, r.Param("id"), patch)
	if err != nil {
		return err
	}
	return s.showChangedUser(r, http.StatusOK, u)
}

func (s *server) deleteUser(r *request) error {
	if err := s.directory.DeleteUser(r.ctx, r.caller, r.Param("id")); err != nil {
		return err
	}
	r.Writer.WriteHeader(http.StatusNoContent)
	return nil
}

// showCreatedUser answers a POST. A person who is new is in no group yet; one who was there before may be.
func (s *server) showCreatedUser(r *request, u models.User) error {
	r.Writer.Header()["Location"] = []string{s.location(r, "/Users/", u.ID)}
	if u.MirrorOf == nil && u.Version == 1 {
		s.sendUser(r, http.StatusCreated, u, userGroups{known: true})
		return nil
	}
	return s.showChangedUser(r, http.StatusCreated, u)
}

// showChangedUser answers a change. It is committed, so that nothing can turn the answer into an error any more: when
// the groups cannot be read, they stay out.
func (s *server) showChangedUser(r *request, status int, u models.User) error {
	groups, err := s.groupsOf(r, u)
	if err != nil {
		s.logIncomplete(r, err)
	}
	s.sendUser(r, status, u, groups)
	return nil
}

func (s *server) showUser(r *request, u models.User) error {
	groups, err := s.groupsOf(r, u)
	if err != nil {
		return err
	}
	if err := r.caller.If.Check("user", groups.version(u), true); err != nil || r.unchanged(groups.version(u)) {
		return err
	}
	s.sendUser(r, http.StatusOK, u, groups)
	return nil
}

func (s *server) sendUser(r *request, status int, u models.User, groups userGroups) {
	r.tag(groups.version(u))
	p := r.search.Projection()
	r.render(status, func(dst []byte) []byte { return s.appendUser(dst, r, &u, groups, p) })
}

func (s *server) appendUser(dst []byte, r *request, u *models.User, groups userGroups, p scim.Projection) []byte {
	meta := scim.Meta{ID: u.ID, Location: s.location(r, "/Users/", u.ID), Created: u.CreatedAt, LastModified: u.UpdatedAt, Version: groups.version(*u)}
	return scim.AppendUser(dst, []byte(u.Resource), u.Active, meta, groups.of[u.ID], p)
}

// userGroups are the groups of people to be shown.
type userGroups struct {
	of    map[string][]scim.GroupRef
	known bool // they were read
}

// version is the version of a person as shown: groups are a part of it. "" while they are not known.
func (g userGroups) version(u models.User) string {
	if !g.known {
		return ""
	}
	return scim.Version(u.Version, g.of[u.ID])
}

// groupsShown is groupsOf where a list shows them, or their versions.
func (s *server) groupsShown(r *request, p scim.Projection, users ...models.User) (userGroups, error) {
	if !p.Wants("groups") && !p.Wants("meta.version") {
		return userGroups{}, nil
	}
	return s.groupsOf(r, users...)
}

// groupsOf reads the groups of people.
func (s *server) groupsOf(r *request, users ...models.User) (userGroups, error) {
	of, err := s.directory.UserGroups(r.ctx, users...)
	if err != nil {
		return userGroups{}, err
	}
	for _, groups := range of {
		for i := range groups {
			groups[i].Ref = s.location(r, "/Groups/", groups[i].Value)
		}
	}
	return userGroups{of, true}, nil
}
