"""`make soak-abuse`: honest clients and hostile ones on one service; the honest ones must hardly notice."""
