"""The names of columns: ours, the ways they may be spelled, and those to be ignored."""

from difflib import get_close_matches

from provisioner.job import RESULT_COLUMNS

PARTICIPANTS = ("participant_1", "participant_2")
TERMS = (
    "voice_connector_id",
    "capabilities",
    "expiry_minutes",
    "number_selection_behavior",
    "geo_match_level",
    "geo_match_country",
    "geo_match_area_code",
)
COLUMNS = (*PARTICIPANTS, "name", "job_id", *TERMS)

PAIR = "participants"
GEO_MATCH_PARAMS = "geo_match_params"
NESTED = (PAIR, GEO_MATCH_PARAMS)

_API_SPELLING = {
    "voiceconnectorid": "voice_connector_id",
    "expiryminutes": "expiry_minutes",
    "numberselectionbehavior": "number_selection_behavior",
    "geomatchlevel": "geo_match_level",
    "geomatchparams": GEO_MATCH_PARAMS,
    "geomatchparams.country": "geo_match_country",
    "geomatchparams.areacode": "geo_match_area_code",
    "participantphonenumbers": PAIR,
}
_SPELLINGS = {name: name for name in (*COLUMNS, *NESTED)} | _API_SPELLING
_TO_UNDERSCORE = str.maketrans(" -", "__")


def column_of(name: str) -> str | None:
    """Our column for a name as somebody wrote it; None when it is not one of ours.

    Upper and lower case are the same, surrounding spaces do not count, and an inner space or dash
    is an underscore. The API's spelling (`VoiceConnectorId`) is known too.
    """
    return _SPELLINGS.get(name.strip().casefold().translate(_TO_UNDERSCORE))


def is_result_column(name: str) -> bool:
    """Whether a column was written by an earlier run and means nothing in a job file."""
    return name.strip().casefold() in RESULT_COLUMNS


def closest(wanted: str, names: list[str]) -> str | None:
    """The name most like `wanted`, None when nothing comes near."""
    by_folded = {name.strip().casefold(): name for name in names}
    found = get_close_matches(wanted.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None
