package dashboard

import (
	"html/template"

	"outpost/models"
)

// guide is what an admin does on the provider's side, in order.
type guide struct {
	Monogram string
	Offers   string // what the provider can push
	Steps    []step
	Test     string // what makes the provider call for the first time, for "it comes when you …"
}

// step is one step: where, what to do, and the value to paste, if there is one.
type step struct {
	Path  string
	Do    template.HTML // ours, never anybody's input
	Paste string        // "url", "token", or a text as it is; "" for nothing
	Label string        // what the provider calls the field
}

// guides are the steps as the providers' own consoles name them.
var guides = map[models.Provider]guide{
	models.ProviderOkta: {
		Monogram: "Ok", Offers: "Users and groups", Test: "you press Test Connector Configuration",
		Steps: []step{
			{Path: "General › App Settings › Edit", Do: "Tick <b>Enable SCIM provisioning</b>, then Save."},
			{Path: "Provisioning › Integration › Edit", Do: "Open the new <b>Provisioning</b> tab and edit the connection."},
			{Label: "SCIM connector base URL", Paste: "url"},
			{Label: "Unique identifier field for users", Paste: "userName"},
			{Do: "Tick <b>Push New Users</b>, <b>Push Profile Updates</b> and <b>Push Groups</b>."},
			{Do: "Authentication mode: <b>HTTP Header</b>.", Label: "Authorization", Paste: "token"},
			{Do: "Press <b>Test Connector Configuration</b>, then Save."},
			{Path: "Provisioning › To App › Edit", Do: "Enable <b>Create Users</b>, <b>Update User Attributes</b> and <b>Deactivate Users</b>, then Save."},
			{Path: "Assignments, Push Groups", Do: "Assign people or groups; groups under <b>Push Groups</b> become teams. People assigned before today need <b>Provision User</b>."},
		},
	},
	models.ProviderEntra: {
		Monogram: "En", Offers: "Users and groups", Test: "you press Test Connection",
		Steps: []step{
			{Path: "Enterprise applications › New application", Do: "Choose <b>Create your own application</b>, <i>not found in the gallery</i>, and open it."},
			{Path: "Provisioning › Get started", Do: "Provisioning mode: <b>Automatic</b>."},
			{Label: "Tenant URL", Paste: "entra-url", Do: "The part after the question mark makes Entra send changes the way the standard says."},
			{Label: "Secret Token", Paste: "token"},
			{Do: "Press <b>Test Connection</b>, then Save."},
			{Path: "Provisioning › Mappings", Do: "Leave the mappings of users and groups on. <b>userName</b> must map to the address people sign in with."},
			{Path: "Users and groups", Do: "Assign people or groups to the application."},
			{Path: "Provisioning › Overview", Do: "<b>Start provisioning</b>. Entra comes every 20 to 40 minutes; <b>Provision on demand</b> does one person at once."},
		},
	},
	models.ProviderOneLogin: {
		Monogram: "OL", Offers: "Users and roles", Test: "you press Enable",
		Steps: []step{
			{Path: "Applications › Add App", Do: "Find <b>SCIM Provisioner with SAML (SCIM v2 Enterprise)</b> and save it."},
			{Path: "Configuration", Label: "SCIM Base URL", Paste: "url"},
			{Label: "SCIM Bearer Token", Paste: "token"},
			{Do: "Leave the <b>SCIM JSON Template</b> as it comes; it must send <code>userName</code> and an e-mail address."},
			{Do: "API Connection: press <b>Enable</b>, then Save."},
			{Path: "Provisioning", Do: "Tick <b>Enable provisioning</b>. Take the ticks away below <i>Require admin approval</i>, and let deleted users be <b>suspended</b> or <b>deleted</b>."},
			{Path: "Parameters", Do: "<b>SCIM Username</b>: Email. For teams, let <b>Groups</b> be included in user provisioning."},
			{Path: "Access", Do: "Choose the roles whose people get access."},
		},
	},
	models.ProviderJumpCloud: {
		Monogram: "JC", Offers: "Users and groups", Test: "you press Test Connection",
		Steps: []step{
			{Path: "SSO Applications › Add New Application", Do: "Choose <b>Custom Application</b> with <b>Export users to this app (Identity Management)</b>."},
			{Path: "Identity Management", Do: "SCIM version: <b>2.0</b>."},
			{Label: "Base URL", Paste: "url"},
			{Label: "Token Key", Paste: "token"},
			{Label: "Test User Email", Do: "An address of somebody in your JumpCloud. JumpCloud makes a test user and a test group and takes them away again; nobody is invited by that."},
			{Do: "Press <b>Test Connection</b>, then <b>Activate</b>, then Save."},
			{Path: "User Groups", Do: "Tick the groups whose people get access, and <b>Enable management of User Groups</b> for teams."},
		},
	},
	models.ProviderPing: {
		Monogram: "P1", Offers: "Users and groups", Test: "you press Test Connection",
		Steps: []step{
			{Path: "Integrations › Provisioning › + › New Connection", Do: "Identity Store: <b>SCIM Outbound</b>."},
			{Label: "SCIM Base URL", Paste: "url"},
			{Label: "Users Resource", Paste: "/Users"},
			{Label: "Groups Resource", Paste: "/Groups"},
			{Do: "SCIM version <b>2.0</b>. Authentication method: <b>OAuth 2 Bearer Token</b>.", Label: "OAuth Access Token", Paste: "token"},
			{Do: "Auth Type Header: <b>Bearer</b>. Press <b>Test Connection</b>, then continue."},
			{Label: "User Filter Expression", Paste: `userName Eq "%s"`},
			{Do: "Remove action: <b>Disable</b> or <b>Delete</b>. Save, and switch the connection on."},
			{Path: "Provisioning › Rules", Do: "Make a rule from the PingOne directory to this connection, choose whom it takes, and switch it on."},
		},
	},
	models.ProviderGoogle: {
		Monogram: "Go", Offers: "Users", Test: "auto-provisioning begins",
		Steps: []step{
			{Path: "Apps › Web and mobile apps", Do: "Open the app. Google offers auto-provisioning for apps of its catalog; an app of your own may not have it."},
			{Path: "Auto-provisioning › Configure", Label: "Access token", Paste: "token"},
			{Label: "Endpoint URL", Paste: "url"},
			{Path: "Attribute mapping", Do: "<b>userName</b>: the primary e-mail address. Leave the rest as it comes."},
			{Path: "Provisioning scope", Do: "Choose the groups whose people get access."},
			{Path: "Deprovisioning", Do: "Let access end at once when an app or a user is suspended or deleted, then switch auto-provisioning on."},
		},
	},
	models.ProviderRippling: {
		Monogram: "Ri", Offers: "Users and groups", Test: "Rippling tests the connection",
		Steps: []step{
			{Path: "IT Management › Custom App", Do: "Add a custom integration with <b>SCIM provisioning</b>."},
			{Label: "SCIM Base URL", Paste: "url"},
			{Do: "Authentication: <b>Bearer token</b>.", Label: "Token", Paste: "token"},
			{Do: "Tick what the app supports: <b>groups</b>, <b>create and delete groups</b>, <b>pagination</b>, and <b>PATCH to edit groups</b>."},
			{Path: "Attributes", Do: "Map <b>userName</b> and the primary e-mail to the work e-mail, and the names to the names."},
			{Do: "Let Rippling test the connection, then choose whose access it manages."},
		},
	},
	models.ProviderCustom: {
		Monogram: "{ }", Offers: "Any SCIM 2.0 client", Test: "your client asks for the first time",
		Steps: []step{
			{Label: "SCIM 2.0 base URL", Paste: "url"},
			{Label: "Authorization header", Paste: "bearer", Do: "Send it with each request."},
			{Do: "Ask first: <code>GET /Users?startIndex=1&amp;count=1</code> answers 200 with a list."},
			{Do: "Create people with <code>POST /Users</code>, after a look-up by <code>userName eq</code>; change them with <code>PUT</code> or <code>PATCH</code>."},
			{Do: "End somebody’s access with <code>active: false</code> or <code>DELETE</code>. It has ended when the answer arrives."},
			{Do: "Groups under <code>/Groups</code> become teams. <code>/ServiceProviderConfig</code> tells what is offered."},
		},
	},
}

// value is what a step says to paste. Without the token in clear it says where to get one.
func (s step) value(baseURL, token string) string {
	switch s.Paste {
	case "url":
		return baseURL
	case "entra-url":
		return baseURL + "?aadOptscim062020"
	case "token":
		return token
	case "bearer":
		if token == "" {
			return ""
		}
		return "Bearer " + token
	}
	return s.Paste
}
