"""Import of what the publishers distribute into the packs that the readers of data sets read."""

from models.datasets.importing.writing import Imported, import_data_set

__all__ = ["Imported", "import_data_set"]
