package api

// operations are all that can be done, as openapi.json describes them.
var operations = []operation{
	{"GET", "/members", 200, (*Server).listMembers, false},
	{"POST", "/members", 201, (*Server).addMember, false},
	{"GET", "/members/{handle}", 200, (*Server).getMember, false},
	{"PATCH", "/members/{handle}", 200, (*Server).changeMember, false},
	{"DELETE", "/members/{handle}", 204, (*Server).removeMember, false},
	{"PUT", "/members/{handle}/password", 204, (*Server).setPassword, false},
	{"GET", "/members/{handle}/addresses", 200, (*Server).listAddresses, false},
	{"POST", "/members/{handle}/addresses", 201, (*Server).addAddress, false},
	{"PATCH", "/members/{handle}/addresses/{address}", 200, (*Server).changeAddress, false},
	{"DELETE", "/members/{handle}/addresses/{address}", 204, (*Server).removeAddress, false},

	{"GET", "/productions", 200, (*Server).listProductions, false},
	{"POST", "/productions", 201, (*Server).addProduction, false},
	{"GET", "/productions/{production}", 200, (*Server).getProduction, false},
	{"PATCH", "/productions/{production}", 200, (*Server).changeProduction, false},
	{"GET", "/productions/{production}/roles", 200, (*Server).listRoles, false},
	{"POST", "/productions/{production}/roles", 201, (*Server).addRole, false},
	{"GET", "/productions/{production}/roles/{role}", 200, (*Server).getRole, false},
	{"PATCH", "/productions/{production}/roles/{role}", 200, (*Server).changeRole, false},

	{"GET", "/threads", 200, (*Server).listThreads, false},
	{"POST", "/threads", 201, (*Server).startThread, true},
	{"GET", "/threads/{thread}", 200, (*Server).getThread, false},
	{"PATCH", "/threads/{thread}", 200, (*Server).changeThread, false},
	{"POST", "/notes", 201, (*Server).addNote, true},

	{"GET", "/webhooks", 200, (*Server).listWebhooks, false},
	{"POST", "/webhooks", 201, (*Server).addWebhook, false},
	{"GET", "/webhooks/{webhook}", 200, (*Server).getWebhook, false},
	{"DELETE", "/webhooks/{webhook}", 204, (*Server).removeWebhook, false},
	{"GET", "/webhooks/{webhook}/events", 200, (*Server).listEvents, false},
	{"POST", "/webhooks/{webhook}/events/{event}/retry", 204, (*Server).retryEvent, false},

	{"GET", "/reports", 200, (*Server).listReports, false},
	{"GET", "/reports/{report}", 200, (*Server).getReport, false},
	{"POST", "/reports/{report}/resolve", 200, (*Server).resolveReport, false},
}
