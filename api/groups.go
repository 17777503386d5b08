package api

import (
	"net/http"

	"outpost/models"
	"outpost/scim"
)

func (s *server) createGroup(r *request) error {
	in, err := decode(r, scim.DecodeGroup)
	if err != nil {
		return err
	}
	g, err := s.directory.CreateGroup(r.ctx, r.caller, in)
	if err != nil {
		return err
	}
	p := r.query.projection()
	if len(in.Members) == 0 {
		return s.sendGroup(r, http.StatusCreated, g, nil, p)
	}
	return s.showChangedGroup(r, http.StatusCreated, g, p)
}

func (s *server) getGroup(r *request) error {
	g, err := s.directory.Group(r.ctx, r.caller, r.Param("id"))
	if err != nil {
		return err
	}
	return s.showGroup(r, g)
}

func (s *server) listGroups(r *request) error {
	filter, page, err := r.query.list()
	if err != nil {
		return err
	}
	groups, total, err := s.directory.Groups(r.ctx, r.caller, filter, page)
	if err != nil {
		return err
	}
	return s.showGroups(r, groups, total, page)
}

func (s *server) replaceGroup(r *request) error {
	in, err := decode(r, scim.DecodeGroup)
	if err != nil {
		return err
	}
	g, err := s.directory.ReplaceGroup(r.ctx, r.caller, r.Param("id"), in)
	if err != nil {
		return err
	}
	return s.showChangedGroup(r, http.StatusOK, g, r.query.ofChange())
}

func (s *server) patchGroup(r *request) error {
	patch, err := decode(r, scim.DecodePatch)
	if err != nil {
		return err
	}
	changes, err := patch.GroupChanges(r.Param("id"))
	if err != nil {
		return err
	}
	g, err := s.directory.PatchGroup(r.ctx, r.caller, r.Param("id"), changes)
	if err != nil {
		return err
	}
	return s.showChangedGroup(r, http.StatusOK, g, r.query.ofChange())
}

func (s *server) deleteGroup(r *request) error {
	if err := s.directory.DeleteGroup(r.ctx, r.caller, r.Param("id")); err != nil {
		return err
	}
	r.Writer.WriteHeader(http.StatusNoContent)
	return nil
}

// showChangedGroup answers a change: the members are as they were understood, for a value that is nobody yet waits
// unseen. It is committed, so that nothing can turn the answer into an error any more: when the members cannot be read,
// they stay out.
func (s *server) showChangedGroup(r *request, status int, g models.Group, p scim.Projection) error {
	members, err := s.membersOf(r, p, g)
	if err != nil {
		s.logIncomplete(r, err)
		p = r.query.withoutMembers()
	}
	return s.sendGroup(r, status, g, members, p)
}

func (s *server) showGroup(r *request, g models.Group) error {
	p := r.query.projection()
	members, err := s.membersOf(r, p, g)
	if err != nil {
		return err
	}
	return s.sendGroup(r, http.StatusOK, g, members, p)
}

func (s *server) showGroups(r *request, groups []models.Group, total int, page scim.Page) error {
	p := r.query.projection()
	members, err := s.membersOf(r, p, groups...)
	if err != nil {
		return err
	}
	r.renderList(total, page, len(groups), func(dst []byte, i int) []byte { return s.appendGroup(dst, r, groups[i], members, p) })
	return nil
}

func (s *server) sendGroup(r *request, status int, g models.Group, members map[string][]scim.Member, p scim.Projection) error {
	if status == http.StatusCreated {
		r.Writer.Header()["Location"] = []string{s.groupMeta(r, g).Location}
	}
	r.render(status, func(dst []byte) []byte { return s.appendGroup(dst, r, g, members, p) })
	return nil
}

// membersOf reads the members of the groups to be shown, if they are to be shown.
func (s *server) membersOf(r *request, p scim.Projection, groups ...models.Group) (map[string][]scim.Member, error) {
	if !p.Wants("members") {
		return nil, nil
	}
	return s.directory.GroupMembers(r.ctx, groups...)
}

func (s *server) appendGroup(dst []byte, r *request, g models.Group, members map[string][]scim.Member, p scim.Projection) []byte {
	return scim.AppendGroup(dst, scim.GroupView{DisplayName: g.DisplayName, ExternalID: g.ExternalID, Members: members[g.ID]}, s.groupMeta(r, g), p)
}

func (s *server) groupMeta(r *request, g models.Group) scim.Meta {
	return scim.Meta{ID: g.ID, Location: s.baseURL(r) + "/Groups/" + g.ID, Created: g.CreatedAt, LastModified: g.UpdatedAt, Version: g.Version}
}
