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
	filter, page, err := r.query.list()
	if err != nil {
		return err
	}
	users, total, err := s.directory.Users(r.ctx, r.caller, filter, page)
	if err != nil {
		return err
	}
	return s.showUsers(r, users, total, page)
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

// showCreatedUser answers a POST. A person who is new is in no group yet; one who was there as a mirror may be.
func (s *server) showCreatedUser(r *request, u models.User) error {
	r.Writer.Header()["Location"] = []string{s.userMeta(r, u).Location}
	if u.MirrorOf == nil {
		r.sendUser(http.StatusCreated, u, s.userMeta(r, u), nil, r.query.projection())
		return nil
	}
	return s.showChangedUser(r, http.StatusCreated, u)
}

// showChangedUser answers a change. It is committed, so that nothing can turn the answer into an error any more: when
// the groups cannot be read, they stay out.
func (s *server) showChangedUser(r *request, status int, u models.User) error {
	p := r.query.projection()
	groups, err := s.groupsOf(r, p, u)
	if err != nil {
		s.logIncomplete(r, err)
	}
	r.sendUser(status, u, s.userMeta(r, u), groups[u.ID], p)
	return nil
}

func (s *server) showUser(r *request, u models.User) error {
	p := r.query.projection()
	groups, err := s.groupsOf(r, p, u)
	if err != nil {
		return err
	}
	r.sendUser(http.StatusOK, u, s.userMeta(r, u), groups[u.ID], p)
	return nil
}

func (s *server) showUsers(r *request, users []models.User, total int, page scim.Page) error {
	p := r.query.projection()
	groups, err := s.groupsOf(r, p, users...)
	if err != nil {
		return err
	}
	r.renderList(total, page, len(users), func(dst []byte, i int) []byte {
		u := &users[i]
		return scim.AppendUser(dst, []byte(u.Resource), u.Active, s.userMeta(r, *u), groups[u.ID], p)
	})
	return nil
}

func (r *request) sendUser(status int, u models.User, meta scim.Meta, groups []scim.GroupRef, p scim.Projection) {
	r.render(status, func(dst []byte) []byte {
		return scim.AppendUser(dst, []byte(u.Resource), u.Active, meta, groups, p)
	})
}

// groupsOf reads the groups of the people to be shown, if they are to be shown.
func (s *server) groupsOf(r *request, p scim.Projection, users ...models.User) (map[string][]scim.GroupRef, error) {
	if !p.Wants("groups") {
		return nil, nil
	}
	return s.directory.UserGroups(r.ctx, users...)
}

func (s *server) userMeta(r *request, u models.User) scim.Meta {
	return scim.Meta{ID: u.ID, Location: s.baseURL(r) + "/Users/" + u.ID, Created: u.CreatedAt, LastModified: u.UpdatedAt, Version: u.Version}
}
