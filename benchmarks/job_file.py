"""Write a job file of any length; the same arguments give the same bytes.

    python benchmarks/job_file.py --rows 1000000 > jobs.csv
    python benchmarks/job_file.py --rows 200 --format jsonl > jobs.jsonl

Every number is one kept for fiction: +1 NXX 555 0100 to 0199, and Ofcom's for drama.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterator
from typing import Any

CONNECTOR = "abcdef1ghij2klmno3pqr4"
AREAS = {
    "212": "US", "213": "US", "206": "US", "303": "US", "305": "US", "312": "US", "404": "US",
    "415": "US", "503": "US", "512": "US", "602": "US", "617": "US", "702": "US", "713": "US",
    "416": "CA", "514": "CA", "604": "CA",
}  # fmt: skip
REGIONS = {"US": "us-east-1", "CA": "ca-central-1"}
AMERICAN = [(f"+1{area}555{line:04d}", area) for line in range(100, 200) for area in AREAS]
BRITISH = [
    f"{prefix}{line:03d}"
    for prefixes in (
        ("+442079460", "+447700900"),
        ("+441134960", "+441144960", "+441154960", "+441164960"),
    )
    for line in range(1000)
    for prefix in prefixes
]
OTHERS = BRITISH + [number for number, _ in AMERICAN]
ROWS_MAXIMUM = len(AMERICAN) * len(BRITISH)
CAPABILITIES = ("Voice|SMS", "Voice", "SMS")
COLUMNS = (
    "job_id",
    "participant_1",
    "participant_2",
    "voice_connector_id",
    "capabilities",
    "name",
    "expiry_minutes",
    "number_selection_behavior",
    "geo_match_level",
    "geo_match_country",
    "geo_match_area_code",
    "customer",
    "region",
)


API_SPELLING = {
    "voice_connector_id": "VoiceConnectorId",
    "name": "Name",
    "number_selection_behavior": "NumberSelectionBehavior",
    "geo_match_level": "GeoMatchLevel",
}


def jobs(rows: int) -> Iterator[dict[str, str]]:
    """Valid jobs, up to ROWS_MAXIMUM; no two numbers are paired twice."""
    for index in range(rows):
        lap, place = divmod(index, len(AMERICAN))
        number, area = AMERICAN[place]
        yield {
            "job_id": f"order-{index + 1:07d}",
            "participant_1": number,
            "participant_2": OTHERS[place + lap],
            "voice_connector_id": CONNECTOR,
            "capabilities": ("Voice|SMS", "Voice", "SMS")[index % 3],
            "name": f"Order {index + 1}" if index % 4 == 0 else "",
            "expiry_minutes": ("720", "60", "")[index % 3],
            "number_selection_behavior": ("PreferSticky", "AvoidSticky", "")[index // 3 % 3],
            **geography(area, index % 5),
            "customer": f"Customer {index % 977:03d}",
            "region": REGIONS[AREAS[area]],
        }


def geography(area: str, kind: int) -> dict[str, str]:
    """Matching by country, by area code, or, for most jobs, not at all."""
    level = ("Country", "AreaCode", "", "", "")[kind]
    return {
        "geo_match_level": level,
        "geo_match_country": AREAS[area] if level else "",
        "geo_match_area_code": area if level else "",
    }


def as_request(job: dict[str, str]) -> dict[str, Any]:
    """A job as a CreateProxySession request, with its two carried columns."""
    request: dict[str, Any] = {API_SPELLING[key]: job[key] for key in API_SPELLING if job[key]}
    request["ParticipantPhoneNumbers"] = [job["participant_1"], job["participant_2"]]
    request["Capabilities"] = job["capabilities"].split("|")
    if job["expiry_minutes"]:
        request["ExpiryMinutes"] = int(job["expiry_minutes"])
    if job["geo_match_level"]:
        request["GeoMatchParams"] = {
            "Country": job["geo_match_country"],
            "AreaCode": job["geo_match_area_code"],
        }
    return request | {"customer": job["customer"], "region": job["region"]}


def write_csv(rows: int) -> None:
    """Our columns and two of somebody else's, to standard output."""
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(jobs(rows))


def write_jsonl(rows: int) -> None:
    """Our spelling and the API's by turns, to standard output."""
    for index, job in enumerate(jobs(rows)):
        ours = {key: value for key, value in job.items() if value}
        print(json.dumps(as_request(job) if index % 2 else ours))


def main() -> None:
    """Read the arguments and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=3000, help=f"at most {ROWS_MAXIMUM}")
    parser.add_argument("--format", choices=("csv", "jsonl"), default="csv")
    arguments = parser.parse_args()
    if not 0 <= arguments.rows <= ROWS_MAXIMUM:
        parser.error(f"--rows must lie between 0 and {ROWS_MAXIMUM}")
    {"csv": write_csv, "jsonl": write_jsonl}[arguments.format](arguments.rows)


if __name__ == "__main__":
    main()
