"""What tavern-card, card-forge and aichar make of cards: JSON in, JSON out; run by the Python that has them."""

import base64
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import aichar  # type: ignore[import-not-found]
import tavern_card  # type: ignore[import-not-found]
from forge import helper, models  # type: ignore[import-not-found]

FIELDS = ("name", "summary", "personality", "scenario", "greeting_message", "example_messages")


def elsewhere(card: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Send a card, as V2, V3 and PNG, through each of the three and back."""
    path, written = folder / "card.png", folder / "written.png"
    path.write_bytes(base64.b64decode(card["png"]))
    validated = [models.CharacterCardV2.model_validate(card["v2"]), models.CharacterCardV3.model_validate(card["v3"])]
    validated.append(helper.extract_card_data(str(path)))
    read = [aichar.load_character_json(json.dumps(card["v2"])), aichar.load_character_card_file(str(path))]
    tavern = [tavern_card.parse_card(json.dumps(card["v2"])), tavern_card.parse_png_card(path.read_bytes())]
    pictures = [tavern_card.write_png_card(card["v2"])]
    for version, legacy in ((2, True), (3, False)):
        helper.embed_card_data(json.dumps(card[f"v{version}"]), str(path), str(written), legacy=legacy)
        pictures.append(written.read_bytes())
    return {
        "forge": [each.model_dump(exclude_none=True) for each in validated],
        "tavern": tavern,
        "aichar": [[getattr(found, field) for field in FIELDS] for found in read],
        "texts": [read[0].export_json("tavernai"), read[0].export_neutral_json(), read[0].export_neutral_yaml()],
        "pictures": [base64.b64encode(picture).decode() for picture in pictures],
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(json.dumps([elsewhere(card, Path(place)) for card in json.load(sys.stdin)]))
