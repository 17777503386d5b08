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
	r.Writer.Header()["Location"] = []string{s.location(r, "/Groups/", g.ID)}
	if len(in.Members) == 0 {
		s.sendGroup(r, http.StatusCreated, g, nil, r.search.Projection())
		return nil
	}
	return s.showChangedGroup(r, http.StatusCreated, g, r.search.Projection())
}

func (s *server) getGroup(r *request) error {
	g, err := s.directory.Group(r.ctx, r.caller, r.Param("id"))
	if err != nil {
		return err
	}
	version := scim.GroupVersion(g.Version, g.Departures)
	if err := r.caller.If.Check("group", version, true); err != nil || r.unchanged(version) {
		return err
	}
	p := r.search.Projection()
	members, err := s.membersOf(r, p, g)
	if err != nil {
		return err
	}
	s.sendGroup(r, http.StatusOK, g, members, p)
	return nil
}

func (s *server) listGroups(r *request) error {
	q, err := r.list()
	if err != nil {
		return err
	}
	page, err := s.directory.Groups(r.ctx, r.caller, q)
	if err != nil {
		return err
	}
	p := r.search.Projection()
	members, err := s.membersOf(r, p, page.Rows...)
	if err != nil {
		return err
	}
	r.renderList(listed(q, page, func(g models.Group) string { return g.ID }), len(page.Rows), func(dst []byte, i int) []byte {
		return s.appendGroup(dst, r, &page.Rows[i], members, p)
	})
	return nil
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
	p := r.search.Projection()
	if r.dialect().QuietGroups && r.search.Attributes == "" {
		p = r.withoutMembers()
	}
	return s.showChangedGroup(r, http.StatusOK, g, p)
}

// patchGroup answers 204 unless the provider reads the answer, or asks for a part of it: the whole resource would have
// every member, and a change of one member of 100,000 does not read the others (RFC 7644 section 3.5.2 allows both).
func (s *server) patchGroup(r *request) error {
	patch, err := decode(r, scim.DecodePatch)
	if err != nil {
		return err
	}
	changes, err := patch.GroupChanges(r.Param("id"), r.dialect())
	if err != nil {
		return err
	}
	g, err := s.directory.PatchGroup(r.ctx, r.caller, r.Param("id"), changes)
	if err != nil {
		return err
	}
	switch {
	case r.search.Attributes != "":
		return s.showChangedGroup(r, http.StatusOK, g, r.search.Projection())
	case r.dialect().QuietGroups:
		return s.showChangedGroup(r, http.StatusOK, g, r.withoutMembers())
	}
	r.tag(scim.GroupVersion(g.Version, g.Departures))
	r.Writer.WriteHeader(http.StatusNoContent)
	return nil
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
		p = r.withoutMembers()
	}
	s.sendGroup(r, status, g, members, p)
	return nil
}

func (s *server) sendGroup(r *request, status int, g models.Group, members map[string][]scim.Member, p scim.Projection) {
	r.tag(scim.GroupVersion(g.Version, g.Departures))
	r.render(status, func(dst []byte) []byte { return s.appendGroup(dst, r, &g, members, p) })
}

// membersOf reads the members of the groups to be shown, if they are to be shown.
func (s *server) membersOf(r *request, p scim.Projection, groups ...models.Group) (map[string][]scim.Member, error) {
	if !p.Wants("members") {
		return nil, nil
	}
	return s.directory.GroupMembers(r.ctx, groups...)
}

func (s *server) appendGroup(dst []byte, r *request, g *models.Group, members map[string][]scim.Member, p scim.Projection) []byte {
	view := scim.GroupView{DisplayName: g.DisplayName, ExternalID: g.ExternalID, Members: members[g.ID], Users: s.location(r, "/Users/", "")}
	meta := scim.Meta{ID: g.ID, Location: s.location(r, "/Groups/", g.ID), Created: g.CreatedAt, LastModified: g.UpdatedAt, Version: scim.GroupVersion(g.Version, g.Departures)}
	return scim.AppendGroup(dst, view, meta, p)
}
