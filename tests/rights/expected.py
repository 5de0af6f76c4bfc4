"""Who may do what, for every operation of the API: written by hand from the design and the decision on rights.

A line is an operation, who, and where these sit: the relations of their unit to the matter. `own^` means the unit that
answers for the matter and every unit above it. An operation may have several lines. What no line allows is refused.

`staff` is anybody with a role. `signed-in` is also a post without a role. `anybody` is also who has not signed in.
`part^` is everybody with a part in the matter; `read^` is also who had one. The rules of the world's pack name the
leader in charge and the principal leader for some decisions; these are the posts `approver` and `chief`.
"""

from collections.abc import Mapping

from services.kernel.core.decider import STAFF_ROLES

ABOVE: Mapping[str, tuple[str, ...]] = {
    "own": ("parent", "root"),
    "child": ("own", "parent", "root"),
    "parent": ("root",),
    "root": (),
    "sibling": ("parent", "root"),
    "foreign": ("root",),
    "assigned": ("parent", "root"),
    "verifying": ("parent", "root"),
    "helping": ("parent", "root"),
    "former": ("parent", "root"),
    "received": ("parent", "root"),
}
"""Relation -> the relations of the units above, as they are in the world."""
PART = ("own^", "assigned^", "verifying^", "helping^")
PLACES: Mapping[str, tuple[str, ...]] = {
    "part^": PART,
    "read^": (*PART, "former^", "received^"),
    "everywhere": tuple(ABOVE),
}
SIGNED_IN = (*STAFF_ROLES, "clerk")
WHO: Mapping[str, tuple[str, ...]] = {
    "staff": STAFF_ROLES,
    "signed-in": SIGNED_IN,
    "anybody": (*SIGNED_IN, "integration", "probe", "nobody"),
}

EXPECTED = """
# ingest: who reported reads and adds to the own report; staff by their part in the matter
sendReport             | integration duty_officer      | own^
sendReports            | integration duty_officer      | own^
sendEvents             | integration duty_officer      | own^
importReports          | integration duty_officer      | own^
listMappings           | integration probe signed-in   | everywhere
previewReport          | integration duty_officer      | own^
listReports            | staff                         | received^
readReport             | staff                         | read^
readReport             | integration                   | received
attachEvidence         | duty_officer verifier handler | part^
attachEvidence         | integration                   | received
previewEvidence        | duty_officer verifier handler | part^
previewEvidence        | integration                   | received
readEvidence           | staff                         | read^
measureReach           | duty_officer verifier handler | part^
measureReach           | integration                   | received
refuseReport           | duty_officer chief            | own^
eraseReport            | chief admin                   | own^
readReceipt            | anybody                       | everywhere
judgeAnswer            | anybody                       | everywhere
listForms              | signed-in                     | everywhere
openForm               | admin                         | own^
closeForm              | admin                         | own^
tellOutages            | probe                         | everywhere
sendMessage            | anybody                       | everywhere
listMailboxes          | signed-in                     | everywhere
listOutages            | signed-in                     | everywhere
listKeys               | admin                         | own^
listImports            | admin                         | own^
makeKey                | admin                         | own^
revokeKey              | admin                         | own^
eraseWordsOfIngest     | chief admin                   | root

# triage: reading
listIncidents          | staff                         | part^
readIncident           | staff                         | read^
readFacts              | staff                         | read^
listSimilar            | staff                         | part^
readSuggestion         | staff                         | part^
searchMatters          | staff                         | part^
askSimilar             | staff                         | own^
countHandovers         | staff                         | assigned^
countDesk              | staff                         | own^
listDesk               | staff                         | own^
listGaps               | staff                         | own^
listLessons            | staff                         | everywhere
# triage: the desk of the accountable unit decides
registerIncident       | duty_officer chief            | own^
requestVerification    | duty_officer chief            | own^
requestHelp            | duty_officer chief            | own^
classifyIncident       | duty_officer                  | own^
categorizeIncident     | duty_officer                  | own^
gradeIncident          | duty_officer                  | own^
setFlag                | duty_officer                  | own^
clearFlag              | duty_officer                  | own^
judgeHarm              | duty_officer                  | own^
judgeDoubt             | duty_officer                  | own^
assignIncident         | duty_officer                  | own^
screenIncident         | duty_officer chief            | own^
holdMeeting            | duty_officer chief            | own^
linkIncident           | duty_officer chief            | own^
offerIncident          | duty_officer chief            | own^
receiveMaterial        | duty_officer handler          | own^
# triage: its head decides
instructIncident       | chief approver                | own^
reviewScreening        | chief approver                | own^
orderExplanation       | chief                         | own^
nameTeam               | chief                         | own^
startPlan              | chief                         | own^
transferIncident       | chief                         | own^
handToPeer             | chief                         | own^
tellPeer               | chief                         | own^
declineRound           | chief                         | own^
reopenIncident         | chief                         | own^
closeIncident          | chief                         | own^
mergeIncident          | chief                         | own^
splitIncident          | chief                         | own^
# triage: the unit above decides
designateIncident      | chief                         | parent^
movePolicy             | chief                         | parent^
concludeVerification   | verifier                      | parent^
# triage: whoever works on it
establishFact          | verifier                      | own^ assigned^ verifying^
assessIncident         | duty_officer verifier         | own^ assigned^ verifying^
acceptIncident         | handler                       | assigned^
returnIncident         | handler                       | assigned^
explainToOffice        | handler chief                 | assigned^
acceptHelp             | handler                       | helping^
returnHelp             | handler                       | helping^
completeHelp           | handler                       | helping^
recordHandling         | handler                       | own^ assigned^ helping^
makePlan               | handler chief                 | own^ assigned^
passUpward             | chief                         | own^ assigned^
explainIncident        | handler approver chief        | own^ assigned^
replyIncident          | handler approver chief        | own^ assigned^
solveIncident          | handler                       | own^ assigned^
leaveUnsolved          | handler                       | own^ assigned^
resolveIncident        | handler                       | own^ assigned^
explainDelay           | handler chief                 | own^ assigned^
followUp               | handler chief                 | own^ assigned^
proposeMeasure         | handler duty_officer          | own^ assigned^
approveIncident        | approver                      | own^
rejectIncident         | approver                      | own^
cannotJudge            | approver                      | own^
# triage: the offices, open to whoever signs in; the unit above sets what binds a unit
listUnits              | signed-in                     | everywhere
listDays               | signed-in                     | everywhere
listPacks              | signed-in                     | everywhere
listCodes              | signed-in                     | everywhere
listValues             | signed-in                     | everywhere
listPeriods            | signed-in                     | everywhere
listDelegations        | signed-in                     | own^ child
listChanges            | signed-in                     | everywhere
readPack               | signed-in                     | everywhere
placeUnit              | admin                         | own^
endUnit                | admin                         | own^
placePost              | admin                         | own^
endPost                | admin                         | own^
nameSite               | admin                         | root
setDays                | chief admin                   | parent^
assignPack             | chief admin                   | parent^
setValue               | chief admin                   | own^
loadPack               | chief admin                   | root
checkPack              | chief admin                   | root
listMattersOfRules     | chief admin                   | root
openPeriod             | chief                         | own^
closePeriod            | chief                         | own^
nameOfficer            | chief admin                   | own^
recordAccess           | admin                         | own^
revokeToken            | admin                         | root
giveDelegation         | chief                         | own^
giveDelegation         | approver                      | own
endDelegation          | chief                         | own^
endDelegation          | approver                      | own
recordLesson           | duty_officer approver chief   | own^
declineLesson          | chief admin                   | root
eraseWordsOfTriage     | chief admin                   | own^

# escalation: reading
listClocks             | staff                         | part^
readLimits             | staff                         | read^
listReportsOwed        | staff                         | own^
listReportsToConfirm   | staff                         | own^
listSurges             | staff                         | own^
readRoster             | staff                         | own^
exportRoster           | staff                         | own^
readPeriodEffect       | staff                         | own^
listAddresses          | staff                         | own^
listOutgoingNotices    | staff                         | own^
# escalation: trying a pack is for whoever may load it
runCases               | chief admin                   | root
explainPack            | chief admin                   | root
dryRunPack             | chief admin                   | root
# escalation: reports upward, the lead, decisions and notices
reportUpward           | duty_officer                  | own^
informOffice           | duty_officer chief            | own^
giveReceipt            | approver                      | own
askLead                | duty_officer chief            | own^
acceptLead             | chief                         | parent
takeLead               | chief                         | parent
recordDecision         | approver chief                | own child assigned
confirmDecision        | approver chief                | own
giveNotice             | duty_officer chief            | parent^
writePart              | duty_officer handler chief    | own^
reportBack             | duty_officer                  | own^
# escalation: a limit with which the assigned unit is charged
setLimit               | approver chief                | own^
pauseLimit             | approver chief                | own^
resumeLimit            | approver chief                | assigned^
requestExtension       | handler duty_officer chief    | assigned^
decideExtension        | approver                      | assigned
requestDeferral        | handler duty_officer chief    | assigned^
decideDeferral         | approver                      | own
tellAsker              | handler duty_officer chief    | own^ assigned^
annulBreach            | auditor                       | parent^
# escalation: the desk of the accountable unit
planDuties             | duty_officer chief admin      | own^
cancelDuty             | duty_officer chief admin      | own^
nameSubstitute         | duty_officer chief admin      | own^
testReachability       | duty_officer chief admin      | own^
signOn                 | duty_officer verifier handler approver chief spokesperson admin | own^
handOver               | duty_officer verifier handler approver chief spokesperson admin | own^
setAddress             | admin                         | own^
endAddress             | admin                         | own^
eraseWordsOfEscalation | chief admin                   | own^

# publish: whoever works on the matter or helps drafts; the accountable unit speaks
draftStatement         | handler                       | own^ assigned^ helping^
reviseStatement        | handler                       | own^ assigned^ helping^
attachFile             | handler                       | own^ assigned^ helping^
coverPersons           | handler                       | own^ assigned^ helping^
detachFile             | handler                       | own^ assigned^ helping^
submitStatement        | handler                       | own^
approveStatement       | approver                      | own^
checkStatement         | approver chief                | own^
rejectStatement        | approver chief spokesperson   | own^
passStatementOn        | approver                      | own^
publishStatement       | spokesperson                  | own^
unscheduleStatement    | spokesperson                  | own^
correctStatement       | spokesperson                  | own^
withdrawStatement      | spokesperson                  | own^
readPress              | staff                         | read^
fixSpeakers            | chief                         | own^
callConference         | spokesperson chief            | own^ assigned^
postponeConference     | spokesperson chief            | own^ assigned^
cancelConference       | spokesperson chief            | own^ assigned^
holdConference         | spokesperson chief            | own^ assigned^
logContact             | spokesperson handler          | own^ assigned^
confirmDelivery        | spokesperson                  | own^
retryDelivery          | spokesperson admin            | own^
placeChannel           | admin chief                   | own^
changeChannel          | admin chief                   | own^
endChannel             | admin chief                   | own^
listChannels           | staff                         | own^
listPostKeys           | admin auditor                 | everywhere
listDeliveries         | staff                         | own^
listReplies            | staff                         | own^
listStatements         | staff                         | part^
readStatement          | staff                         | part^
readHistory            | staff                         | part^
readFile               | staff                         | part^
previewAlert           | staff                         | part^
previewStatement       | staff                         | part^
previewDraft           | handler                       | own^ assigned^ helping^
listTemplates          | handler                       | own^ assigned^ helping^
eraseWordsOfPublish    | chief admin                   | own^
showBulletin           | anybody                       | everywhere
showStatement          | anybody                       | everywhere
readAtomFeed           | anybody                       | everywhere
readJsonFeed           | anybody                       | everywhere
readAlerts             | anybody                       | everywhere
readAlert              | anybody                       | everywhere
readManifest           | anybody                       | everywhere
readCode               | anybody                       | everywhere
readPublicFile         | anybody                       | everywhere
readPublicKeys         | anybody                       | everywhere
showVerify             | anybody                       | everywhere
showStatus             | anybody                       | everywhere
readStatus             | anybody                       | everywhere
showAccounts           | anybody                       | everywhere
readAccounts           | anybody                       | everywhere

# audit; its only record here is a refusal of the sibling
readTimeline           | staff                         | read^
listMessages           | staff                         | part^
listEvents             | staff                         | read^
readEvent              | staff                         | part^
followChanges          | staff                         | read^
listMatters            | staff                         | part^
exportMatters          | staff                         | part^
listReadings           | chief auditor                 | everywhere
sealArchive            | chief auditor                 | part^
listArchives           | chief approver auditor        | part^
consultArchive         | chief approver auditor        | part^
exportTimeline         | chief auditor                 | part^
# audit: questions that each unit keeps for itself
listSavedQueries       | staff                         | own
saveQuery              | staff                         | everywhere
changeQuery            | staff                         | own
dropQuery            | staff                         | own
# audit: what goes out by webhooks; an integration has only its own subscriptions
listSubscriptions      | admin                         | own
makeSubscription       | admin integration             | everywhere
endSubscription        | admin                         | own
renewSecret            | admin                         | own
replaySubscription     | admin                         | own
listWebhookDeliveries  | admin                         | own
# audit: findings against a unit; the unit is heard, those above decide
listFindings           | staff                         | own^
readFinding            | staff                         | own^
proposeFinding         | auditor                       | parent^
stateView              | chief approver                | own^
confirmFinding         | auditor                       | parent^
rejectFinding          | auditor                       | parent^
# audit: the review of a matter. Its leader or its leading group, three posts here, adopts it
readReview             | staff                         | part^
printReviewHtml        | staff                         | part^
printReviewDocx        | staff                         | part^
printReviewPdf         | staff                         | part^
listLessonsOfReviews   | staff                         | own^
editReview             | duty_officer handler approver chief | own^
adoptReview            | approver chief spokesperson   | own
conveneEvaluation      | approver chief                | own^
recordEvaluation       | duty_officer approver chief   | own^
assignLesson           | approver chief                | own^
followUpLesson         | duty_officer handler approver chief | own^
finishLesson           | duty_officer handler approver chief | own^
dropLesson             | approver chief                | own^
# audit: numbers of a unit and those below it
readStatistics         | staff                         | own^
exportStatistics       | staff                         | own^
readDutyDesk           | staff                         | own^
readYear               | staff                         | own^
readAnalysis           | staff                         | own^
circulateTable         | chief auditor                 | own^
listCirculations       | staff                         | own^ child
readCirculation        | staff                         | own^ child
commentAnalysis        | chief auditor                 | own^
# audit: a unit above inspects an office, which answers for its remedies
listInspections        | staff                         | own^
readInspection         | staff                         | own^
openInspection         | chief auditor                 | parent^
makeRemark             | chief auditor                 | parent^
reportRemedy           | chief approver                | own^
acceptRemedy           | chief auditor                 | parent^
returnRemedy           | chief auditor                 | parent^
withdrawRemark         | chief auditor                 | parent^
endInspection          | chief auditor                 | parent^
# audit: drills of offices for exercises, and trainings
listDrills             | staff                         | own^
readDrill              | staff                         | own^
beginDrill             | chief admin                   | own^
noteInject             | chief admin                   | own^
endDrill               | chief admin                   | own^
judgeDrill             | chief admin                   | own^
listTrainings          | staff                         | own^
listTrainedPosts       | staff                         | own^
recordTraining         | chief admin                   | own^
withdrawTraining       | chief admin                   | own^
# audit: neglect is passed on, and work is praised; nobody decides about the own post
listReferrals          | chief auditor                 | own^
readReferral           | chief auditor                 | own^
proposeReferral        | chief auditor                 | own^
stateOwnView           | chief approver                | own^
passOn                 | chief                         | parent^
praiseWork             | chief                         | parent^
dropReferral           | chief                         | parent^
noteReceipt            | chief auditor                 | parent^
# audit: its log, as strangers check it
readCheckpoint         | anybody                       | everywhere
proveInclusion         | anybody                       | everywhere
readInclusion          | anybody                       | everywhere
proveConsistency       | anybody                       | everywhere
listKeysOfLog          | anybody                       | everywhere
readTile               | anybody                       | everywhere
readEntries            | auditor                       | root
eraseWordsOfAudit      | chief admin                   | sibling^
"""
EXPECTED_OF_EACH = """
# every service: how it runs, and what it set aside
readOperationOf{service} | admin auditor | everywhere
listLettersOf{service}   | admin auditor | root
readLetterOf{service}    | admin auditor | root
redriveLetterOf{service} | admin         | root
discardLetterOf{service} | admin         | root
"""
SERVICES = ("Ingest", "Triage", "Escalation", "Publish", "Audit")


DELEGATED = {
    "approveIncident", "rejectIncident", "cannotJudge", "approveStatement", "rejectStatement", "passStatementOn",
    "checkStatement", "decideDeferral", "adoptReview",
}  # fmt: skip
"""What the post `approver` may let another post do for it for a time."""


def _who(text: str) -> list[str]:
    return [caller for name in text.split() for caller in WHO.get(name, (name,))]


def _where(text: str) -> set[str]:
    places = [place for name in text.split() for place in PLACES.get(name, (name,))]
    return {
        relation
        for place in places
        for relation in ((place[:-1], *ABOVE[place[:-1]]) if place.endswith("^") else (place,))
    }


def allowed() -> dict[str, set[tuple[str, str]]]:
    """Operation -> the pairs of relation and caller that it lets in."""
    found: dict[str, set[tuple[str, str]]] = {}
    lines = [EXPECTED, *(EXPECTED_OF_EACH.format(service=name) for name in SERVICES)]
    for line in "".join(lines).splitlines():
        if line and not line.startswith("#"):
            operation, who, where = (part.strip() for part in line.split("|"))
            pairs = {(relation, caller) for relation in _where(where) for caller in _who(who)}
            found[operation] = found.get(operation, set()) | pairs
    return found
