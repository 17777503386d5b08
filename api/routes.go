package api

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"outpost/models"
	"outpost/scim"
)

// rule says who may call a route.
type rule uint8

const (
	bearer   rule = iota // whoever holds a living token of the connection in the path
	admitted             // the same, checked in the statement that does the work: what a bulk assignment is made of
	public               // everybody
)

// route is one line of the list. Each is served with and without a slash at its end, and each GET also as HEAD.
type route struct {
	method   string // "" is every method
	path     string
	rule     rule
	resource string // what a refused change is recorded as
	maxBody  int64
	handle   handler
}

// resourceBulk is what a refused bulk request is recorded as.
const resourceBulk = "Bulk"

// connection is the path of a SCIM base URL.
const connection = "/scim/v2/:connection"

// routes is every route there is.
func (s *server) routes() []route {
	user, group := s.limits.UserBody, s.limits.GroupBody
	return []route{
		{"GET", connection + "/Users", admitted, models.ResourceUser, user, s.listUsers},
		{"POST", connection + "/Users", admitted, models.ResourceUser, user, s.createUser},
		{"GET", connection + "/Users/:id", bearer, models.ResourceUser, user, s.getUser},
		{"PUT", connection + "/Users/:id", bearer, models.ResourceUser, user, s.replaceUser},
		{"PATCH", connection + "/Users/:id", bearer, models.ResourceUser, user, s.patchUser},
		{"DELETE", connection + "/Users/:id", bearer, models.ResourceUser, user, s.deleteUser},

		{"GET", connection + "/Groups", bearer, models.ResourceGroup, group, s.listGroups},
		{"POST", connection + "/Groups", bearer, models.ResourceGroup, group, s.createGroup},
		{"GET", connection + "/Groups/:id", bearer, models.ResourceGroup, group, s.getGroup},
		{"PUT", connection + "/Groups/:id", bearer, models.ResourceGroup, group, s.replaceGroup},
		{"PATCH", connection + "/Groups/:id", bearer, models.ResourceGroup, group, s.patchGroup},
		{"DELETE", connection + "/Groups/:id", bearer, models.ResourceGroup, group, s.deleteGroup},

		{"GET", connection + "/Users/.search", bearer, models.ResourceUser, user, searchByPost},
		{"GET", connection + "/Groups/.search", bearer, models.ResourceGroup, group, searchByPost},

		{"GET", connection + "/ServiceProviderConfig", bearer, "ServiceProviderConfig", user, s.getProviderConfig},
		{"GET", connection + "/ResourceTypes", bearer, "ResourceType", user, s.listResourceTypes},
		{"GET", connection + "/ResourceTypes/:id", bearer, "ResourceType", user, s.getResourceType},
		{"GET", connection + "/Schemas", bearer, "Schema", user, s.listSchemas},
		{"GET", connection + "/Schemas/:id", bearer, "Schema", user, s.getSchema},

		{"", connection + "/Me", bearer, "Me", user, notOffered("/Me", "use /Users and the id of a user")},
		{"POST", connection + "/Bulk", bearer, resourceBulk, scim.MaxBulkBytes, s.bulk},

		{"GET", connection, bearer, models.ResourceAny, user, s.listEverything},
		{"POST", connection + "/.search", bearer, models.ResourceAny, user, s.searching(s.listEverything)},
		{"POST", connection + "/Users/.search", bearer, models.ResourceUser, user, s.searching(s.listUsers)},
		{"POST", connection + "/Groups/.search", bearer, models.ResourceGroup, group, s.searching(s.listGroups)},

		{"GET", "/healthz", public, "", 0, s.health},
		{"GET", "/readyz", public, "", 0, s.ready},
	}
}

// register puts the routes into Gin.
func (s *server) register(engine *gin.Engine) {
	for _, r := range s.routes() {
		methods := []string{r.method}
		switch r.method {
		case "":
			methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
		case "GET":
			methods = []string{"GET", "HEAD"}
		}
		for _, method := range methods {
			engine.Handle(method, r.path, s.serve(r))
			engine.Handle(method, r.path+"/", s.serve(r))
		}
	}
	engine.NoRoute(s.serve(nowhere))
	engine.NoMethod(s.serve(route{rule: public, handle: noMethod}))
}

// nowhere is the route of an address that is none.
var nowhere = route{rule: public, handle: noRoute}

// changes reports whether a method asks for a change.
func changes(method string) bool {
	switch method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return true
	}
	return false
}
