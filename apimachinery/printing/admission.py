"""Tables of the kinds that extend admission."""

from datetime import datetime

from apimachinery.printing.shape import AGE, NAME, Cell, Column, Plain, TableShape, age, name_of


def webhook_configuration_cells(configuration: Plain, now: datetime) -> list[Cell]:
    return [name_of(configuration), len(configuration.get("webhooks") or ()), age(configuration, now)]


WEBHOOK_CONFIGURATION = TableShape(
    (NAME, Column("Webhooks", "integer", description="How many webhooks it configures."), AGE), webhook_configuration_cells
)
