UPDATE index_state SET fence = 7, head = '0123456789012345678901234567890123456789', writer = 'somebody';
