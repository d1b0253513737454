"""Every model there is, in the order in which they are fitted and numbered."""

from __future__ import annotations

from engine.models.als import Als
from engine.models.base import Recommender
from engine.models.daypart import PopularByDaypart, RepeatByDaypart
from engine.models.ease import Ease
from engine.models.item_knn import ItemKnn
from engine.models.newcomer import PopularByLanguage, Referral
from engine.models.next_item import NextItem
from engine.models.popular import Popular, Trending
from engine.models.repeat import Repeat
from engine.models.user_knn import UserKnn

# A model's place seeds its random stream and is its place in an artifact: add at the end.
REGISTRY: list[type[Recommender]] = [
    Popular,
    Trending,
    Repeat,
    Als,
    ItemKnn,
    NextItem,
    UserKnn,
    PopularByDaypart,
    RepeatByDaypart,
    PopularByLanguage,
    Referral,
    Ease,
]


def register_model(kind: type[Recommender]) -> type[Recommender]:
    """Make a model known to training, serving, settings and the reference; usable as a decorator.

    Raises ValueError when another has its name.
    """
    if any(each.name == kind.name for each in REGISTRY):
        raise ValueError(f"there is a model {kind.name!r} already")
    REGISTRY.append(kind)
    return kind


def model_kind(name: str) -> type[Recommender]:
    """Return the model's class. Raises KeyError for a name this release does not know."""
    for kind in REGISTRY:
        if kind.name == name:
            return kind
    raise KeyError(f"model {name!r}")


def default_weights() -> dict[str, float]:
    """Return each model's weight where none could be learned."""
    return {kind.name: kind.default_weight for kind in REGISTRY}


def impersonal_models() -> tuple[str, ...]:
    """Return the names of models that can score for customers without an order."""
    return tuple(kind.name for kind in REGISTRY if kind.impersonal)
