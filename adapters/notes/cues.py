"""Words of spoken English that usually tell what a sentence is for. For the model they are no more than features."""

import re
from collections.abc import Iterator, Mapping

_ILLNESS = (
    r"(?:disease|infection|diabetes|migraine|asthma|pneumonia|bronchitis|angina|flu|influenza|cold|syndrome|disorder|"
    r"cancer|allergy|hypertension|arthritis|anemia|gastritis|reflux|sinusitis|tonsillitis|depression|anxiety|fracture|"
    r"sprain|strain|inflammation|diagnosis|failure)"
)
_BODY = (
    r"(?:blood pressure|blood sugar|sugar|temperature|pulse|heart|heart rate|heart sounds?|lungs?|breathing|oxygen|"
    r"weight|height|ears?|eardrum|throat|nose|eyes?|skin|belly|abdomen|stomach|liver|reflexes|knee|leg|foot|feet|hand|"
    r"arm|back|neck|chest|test|tests|results?|x ray|x-ray|scan|ultrasound|ecg|ekg|numbers|tonsils|glands|swelling)"
)
BODY = re.compile(rf"{_BODY}\b")
"""A part of the body, or something that is measured."""

_OTHERS = r"(?:your|his|her|the|their)"

_CUES: Mapping[str, re.Pattern[str]] = {
    "plan": re.compile(
        r"(?:^(?:please |you should |you must |you need to |you can |then |and )?(?:take|give (?:him|her|them)|"
        r"come back|call|drink|rest|walk|continue|stop|keep|avoid|use|apply|return|make an appointment)\b"
        r"|^(?:if .*)?\bplease\b"
        r"|\b(?:i will|we will|i'll|we'll|(?:i am|we are|i'm|we're) (?:going to|gonna|gon na)|let us|let's|"
        r"(?:i|we) (?:want|would like|'d like|wan na|wanna)|i'd like|go ahead and|i recommend|recommendation|i suggest|"
        r"i prescribe)\b"
        r"|\b(?:you|he|she|they|we) (?:should|must|need to|needs to|ought to)\b"
        r"|\b(?:call us|call me|come back|follow up|follow-up|prescription|prescribe|refer (?:you|him|her)|referral)\b)"
    ),
    "report": re.compile(
        r"(?:\b(?:i|i'm|i've|i'd|we) "
        r"(?!think|believe|suspect|see|hear|can see|can hear|found|find|call|appreciate|do)\w+"
        r"|\b(?:my|me|mine)\b"
        r"|\b(?:since yesterday|last night|this morning)\b)"
    ),
    "judgement": re.compile(
        r"(?:\bi (?:think|believe|suspect|am sure)\b"
        r"|^(?:so )?(?:this|that|it) (?:is|looks like|seems to be|may be|could be|might be) "
        r"(?:an?|the|probably|likely|most likely|very common|common|not serious|consistent)\b"
        rf"|\bwe call (?:it|this)\b|\b(?:consistent with|diagnos\w+|most likely|probably)\b"
        rf"|^(?:you|he|she|your (?:son|daughter|child|mother|father)) (?:have|has) .*\b{_ILLNESS}\b"
        rf"|^(?:your|his|her|the) {_ILLNESS} (?:is|are|has)\b"
        rf"|\bis called\b|\bname of (?:this|the) {_ILLNESS}\b|\b(?:under|well) control|\bstable\b)"
    ),
    "finding": re.compile(
        rf"(?:^{_OTHERS} (?:\w+ ){{0,3}}?{_BODY}\b"
        r"|^(?:temperature|pulse|oxygen|saturation|heart rate|blood pressure|respirat\w+)\b.*\d"
        r"|\b(?:no|any) signs? of\b|\b(?:red and swollen|swollen and red)\b"
        r"|\b(?:over|by) (?:\w+ty|one hundred|\d{2,3})\b"
        r"|\b(?:tenderness|edema|murmur|erythema|effusion|range of motion|crackles|reflexes|a1c|hemoglobin)\b"
        r"|\bi (?:can |do |don't |do n't )?(?:see|hear|found|find|appreciate)\b|\b(?:on|your) (?:\w+ ){0,2}exam\w*\b)"
    ),
    "symptom": re.compile(
        r"\b(?:pain|pains|painful|ache\w*|hurts?|hurting|fever|cough\w*|tired|thirsty|dizzy|nausea|sick|vomit\w*|"
        r"threw up|rash|itch\w*|headaches?|short of breath|breathless|bleed\w*|sleep\w*|slept|cried|cries|crying|"
        r"worse|better|allergic|appetite|eats?|drinks?|eaten|drunk)\b"
    ),
}


def cues_in(said: str) -> Iterator[str]:
    """The names of the cues in a sentence, which is in small letters and without punctuation."""
    return (name for name, words in _CUES.items() if words.search(said))
